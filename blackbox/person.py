"""A person without a browser: keeps cookies, follows redirects, fills in and submits the forms it meets."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

# Button values that say no; a person here always says yes.
REFUSALS = {"deny", "cancel", "no", "stay", "another"}
MAX_REQUESTS = 20
TIMEOUT_SECONDS = 20


class Form:
    """One form of a page: its attributes, fields and buttons."""

    def __init__(self, attributes):
        self.attributes = attributes
        self.inputs = []
        self.buttons = []

    @property
    def asks_password(self):
        return any(i.get("type", "").lower() == "password" for i in self.inputs)


class Page(HTMLParser):
    """Collects the forms and the visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.words = []
        self._open = None
        self._program = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        self._program = tag in ("script", "style")
        if tag == "form":
            self._open = Form(attributes)
            self.forms.append(self._open)
        elif tag in ("input", "button"):
            self._control(tag, attributes)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self._program = False

    def handle_endtag(self, tag):
        self._program = False
        if tag == "form":
            self._open = None

    def handle_data(self, data):
        if not self._program:
            self.words.extend(data.split())

    def _control(self, tag, attributes):
        owner = self._open
        if "form" in attributes:
            owner = next((f for f in self.forms if f.attributes.get("id") == attributes["form"]), None)
        if owner is None:
            return
        kind = attributes.get("type", "submit" if tag == "button" else "text").lower()
        if kind == "submit":
            owner.buttons.append(attributes)
        elif tag == "input":
            owner.inputs.append(attributes)

    @property
    def main_form(self):
        """The form that asks for a password, else the first one."""
        asking = [f for f in self.forms if f.asks_password]
        return next(iter(asking + self.forms), None)

    @property
    def text(self):
        return " ".join(self.words)[:300]


class Person:
    """Signs in and consents over `session`, a requests session that holds the cookies."""

    def __init__(self, username, password, session):
        self.username = username
        self.password = password
        self.session = session

    def visit(self, url, destination):
        """Goes on from `url`, through redirects and forms, until a redirect leads to `destination`.

        Gives back that URL, which is not fetched, or None where a page without a form is the end.
        """
        fields, signed_in = None, False
        for _ in range(MAX_REQUESTS):
            answer = self._send(url, fields)
            path = urlsplit(url).path
            if answer.is_redirect:
                if answer.status_code > 303:
                    raise RuntimeError(f"{path} answered {answer.status_code}, which would send the form on")
                url, fields = urljoin(url, answer.headers["location"]), None
                if same_place(url, destination):
                    return url
                continue
            page = Page(answer.text)
            if answer.status_code >= 400:
                raise RuntimeError(f"{path} answered {answer.status_code}: {page.text}")
            form = page.main_form
            if form is None:
                return None
            if form.asks_password and signed_in:
                raise RuntimeError(f"the sign-in was not accepted: {page.text}")
            signed_in = signed_in or form.asks_password
            if form.attributes.get("method", "get").lower() != "post":
                raise RuntimeError(f"the form on {path} does not use POST")
            url, fields = urljoin(url, form.attributes.get("action") or url), self._filled(form)
        raise RuntimeError(f"no end after {MAX_REQUESTS} requests")

    def _send(self, url, fields):
        method = "GET" if fields is None else "POST"
        return self.session.request(method, url, data=fields, headers={"accept": "text/html"}, allow_redirects=False, timeout=TIMEOUT_SECONDS)

    def _filled(self, form):
        fields = []
        for field in form.inputs:
            kind = field.get("type", "text").lower()
            if "name" not in field or "disabled" in field or kind in ("button", "reset", "image"):
                continue
            if kind in ("checkbox", "radio") and "checked" not in field:
                continue
            fields.append((field["name"], self._answer(field, kind)))
        button = next((b for b in form.buttons if b.get("value", "").lower() not in REFUSALS), None)
        if button and "name" in button:
            fields.append((button["name"], button.get("value", "")))
        return fields

    def _answer(self, field, kind):
        if kind == "password":
            return self.password
        if field["name"] in ("username", "login") and kind != "hidden" and "readonly" not in field:
            return self.username
        return field.get("value", "on" if kind in ("checkbox", "radio") else "")


def same_place(one, other):
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.netloc, a.path) == (b.scheme, b.netloc, b.path)
