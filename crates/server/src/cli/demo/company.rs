//! The company: its people, applications, APIs and devices, made by the admin API.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{
    show::{heading, many, print, table},
    web::{Admin, Api, Application, text},
};
use crate::clock::fresh_id;

/// Named on the tour.
const PEOPLE: [(&str, &str); 8] = [
    ("ada", "Ada Lovelace"),
    ("grace", "Grace Hopper"),
    ("alan", "Alan Turing"),
    ("barbara", "Barbara Liskov"),
    ("edsger", "Edsger Dijkstra"),
    ("frances", "Frances Allen"),
    ("leslie", "Leslie Lamport"),
    ("radia", "Radia Perlman"),
];
/// Most of the work is hashing passwords, and the server hashes two at a time.
const AT_ONCE: usize = 2;

/// The identifier of the API that people's applications call.
pub(super) const ORDERS: &str = "https://orders.example";
/// The identifier of an API beside it, which nobody revokes.
pub(super) const PAYROLL: &str = "https://payroll.example";

/// In which the demo's browsers say what device they are on, as a proxy would.
pub(super) const DEVICE_HEADER: &str = "x-device-id";
/// How many people have a phone that is managed.
const PHONES: usize = 2;

/// A member of staff.
pub(super) struct Person {
    pub(super) user_name: String,
    pub(super) name: String,
}

impl Person {
    /// What friends say.
    pub(super) fn first_name(&self) -> &str {
        self.name.split(' ').next().unwrap_or_default()
    }

    /// How device management calls the person's phone.
    pub(super) fn phone(&self) -> String {
        format!("phone-of-{}", self.user_name)
    }
}

/// Everybody and everything.
pub(super) struct Company {
    pub(super) people: Vec<Person>,
    /// The same for all of them, made up for this demo.
    pub(super) password: String,
    /// A web application of the company's own, in the browser: public, rotating.
    pub(super) portal: Application,
    /// An application with a secret, which asks for consent and does not rotate.
    pub(super) desk: Application,
    /// A service that acts for itself.
    pub(super) reports: Application,
    pub(super) orders: Api,
    pub(super) payroll: Api,
}

impl Company {
    /// Makes it. `portal` is where the portal listens.
    pub(super) async fn found(admin: &Admin, people: u32, portal: &str) -> anyhow::Result<Self> {
        let password = fresh_id("demo-");
        let people = hire(admin, people, &password).await?;
        let orders = add_api(admin, ORDERS, "Orders", &["orders.read", "orders.write"], "opaque").await?;
        let payroll = add_api(admin, PAYROLL, "Payroll", &["payroll.read"], "jwt").await?;
        let (portal, desk, reports) = add_applications(admin, portal).await?;
        for person in people.iter().take(PHONES) {
            let id = json!({ "kind": "mdm", "value": person.phone() });
            let device = json!({ "name": format!("{}'s phone", person.first_name()), "external_ids": [id] });
            admin.post("/devices", &device).await?;
        }
        let company = Self { people, password, portal, desk, reports, orders, payroll };
        company.show();
        Ok(company)
    }

    fn show(&self) {
        heading("A small company");
        let people: Vec<&str> = self.people.iter().map(Person::first_name).take(PEOPLE.len()).collect();
        let mut rows = table(&[]);
        rows.add_row([many(self.people.len() as u64, "user"), people.join(", ")]);
        rows.add_row([self.portal.name, "web application of the company's own; refresh tokens rotate"]);
        rows.add_row([self.desk.name, "web application with a secret; asks for consent"]);
        rows.add_row([self.reports.name, "service; acts for itself"]);
        rows.add_row(["Orders API", "asks the server about every token; opaque tokens"]);
        rows.add_row(["Payroll API", "the same; JWTs"]);
        let phones: Vec<_> =
            self.people.iter().take(PHONES).map(|one| format!("{}'s phone", one.first_name())).collect();
        rows.add_row([
            many(phones.len() as u64, "device"),
            format!("{}: managed, so that sign-ins there name it", phones.join(", ")),
        ]);
        print(&rows);
    }
}

async fn hire(admin: &Admin, people: u32, password: &str) -> anyhow::Result<Vec<Person>> {
    let person = |number: u32| {
        let known = usize::try_from(number).ok().and_then(|number| PEOPLE.get(number));
        match known {
            Some((user_name, name)) => Person { user_name: (*user_name).to_owned(), name: (*name).to_owned() },
            None => Person { user_name: format!("user{}", number + 1), name: format!("User {}", number + 1) },
        }
    };
    let hiring = (0..people).map(person).map(async |person: Person| {
        let user = json!({
            "user_name": person.user_name,
            "display_name": person.name,
            "email": format!("{}@company.example", person.user_name),
            "password": password,
        });
        admin.post("/users", &user).await?;
        anyhow::Ok(person)
    });
    stream::iter(hiring).buffered(AT_ONCE).try_collect().await
}

async fn add_api(
    admin: &Admin,
    audience: &'static str,
    name: &'static str,
    scopes: &[&str],
    format: &str,
) -> anyhow::Result<Api> {
    let api = json!({
        "audience": audience,
        "name": name,
        "scopes": scopes,
        "token_format": format,
        "introspection_client": true,
    });
    let answer = admin.post("/apis", &api).await?;
    let client = answer.get("introspection_client").unwrap_or(&Value::Null);
    Ok(Api { audience, name, client: text(client, "id")?, secret: text(client, "client_secret")? })
}

async fn add_applications(admin: &Admin, portal: &str) -> anyhow::Result<(Application, Application, Application)> {
    let portal_uri = format!("{portal}/callback");
    let desk_uri = "https://desk.example/callback";
    let portal = json!({
        "id": "staff-portal", "name": "Staff portal", "auth_method": "none", "first_party": true,
        "redirect_uris": [portal_uri], "scopes": ["openid", "profile", "email", "orders.read"],
        "rotation": "each_use", "id_token_signed_response_alg": "ES256",
    });
    let desk = json!({
        "id": "order-desk", "name": "Order desk", "redirect_uris": [desk_uri],
        "scopes": ["orders.read", "orders.write"], "rotation": "never",
    });
    let reports =
        json!({ "id": "nightly-reports", "name": "Nightly reports", "scopes": ["orders.read", "payroll.read"] });
    admin.post("/clients", &portal).await?;
    let desk = text(&admin.post("/clients", &desk).await?, "client_secret")?;
    let reports = text(&admin.post("/clients", &reports).await?, "client_secret")?;
    let application = |id: &str, name, secret, redirect_uri: &str, scope| Application {
        id: id.to_owned(),
        name,
        secret,
        redirect_uri: redirect_uri.to_owned(),
        scope,
    };
    Ok((
        application("staff-portal", "Staff portal", None, &portal_uri, "openid profile email orders.read"),
        application("order-desk", "Order desk", Some(desk), desk_uri, "orders.read orders.write"),
        application("nightly-reports", "Nightly reports", Some(reports), "", ""),
    ))
}
