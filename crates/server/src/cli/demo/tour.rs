//! The tour: a token at work, and then three endings, each wider than the one before.

use anyhow::ensure;
use serde_json::Value;

use super::{
    company::{Company, ORDERS, Person},
    ending::Order,
    issuing::{Issued, SignedIn},
    show::{heading, note, print, table},
    sight::{Row, Sight, compare, look_at_all},
    web::{Admin, Web, text},
};

/// What the tour needs.
pub(super) struct Tour<'a> {
    pub(super) web: &'a Web,
    pub(super) admin: &'a Admin,
    pub(super) company: &'a Company,
    pub(super) issued: &'a Issued<'a>,
}

/// The people of the tour, by their place in the company.
pub(super) const ADA: usize = 0;
const GRACE: usize = 1;
/// Still has access at the end.
pub(super) const ALAN: usize = 2;

impl<'a> Tour<'a> {
    /// Walks it. Answers with a token that died on the way.
    pub(super) async fn walk(&self) -> anyhow::Result<String> {
        let dead = self.at_work().await?;
        self.one_token(&dead).await?;
        self.one_user().await?;
        self.one_api().await?;
        Ok(dead)
    }

    fn sign_in(&self, nth: usize) -> anyhow::Result<(&'a Person, &'a SignedIn<'a>)> {
        let sign_in = self.issued.of(nth)?;
        Ok((sign_in.portal.person, sign_in))
    }

    async fn at_work(&self) -> anyhow::Result<String> {
        let (ada, sign_in) = self.sign_in(ADA)?;
        heading(&format!("A token at work: {}'s, from the {}", ada.first_name(), sign_in.portal.application.name));
        let token = sign_in.portal.access();
        let (status, claims) = self.web.userinfo(&token).await?;
        ensure!(status == 200, "userinfo answered {status}");
        let heard = self.web.introspect(&self.company.orders, &token).await?;
        let said = |answer: &Value, name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        ensure!(heard.get("active") == Some(&Value::Bool(true)), "introspection answered {heard}");
        let refreshed = sign_in.portal.refresh(self.web).await?;
        ensure!(refreshed == 200, "refresh answered {refreshed}");
        let mut rows = table(&["asked at", "by", "answer"]);
        rows.add_row(["userinfo", "the portal", &format!("{status}: {}", said(&claims, "name"))]);
        let active = format!("active: {}", said(&heard, "scope"));
        rows.add_row(["introspection", "the Orders API", &active]);
        rows.add_row([
            "refresh",
            "the portal",
            &format!("{refreshed}: a new access token, and the next refresh token"),
        ]);
        print(&rows);
        Ok(token)
    }

    async fn one_token(&self, token: &str) -> anyhow::Result<()> {
        let (ada, sign_in) = self.sign_in(ADA)?;
        let heard = self.web.introspect(&self.company.orders, token).await?;
        let id = text(&heard, "jti")?;
        heading(&format!("Revoke one token: {}'s leaked", ada.first_name()));
        let whose = format!("{}'s leaked token", ada.first_name());
        let rows = [
            Row::new(&whose, Sight::Userinfo(token.to_owned())),
            Row::new(&whose, Sight::Introspection(&self.company.orders, token.to_owned())),
            Row::new(format!("{}'s newer token", ada.first_name()), Sight::Userinfo(sign_in.portal.access())),
        ];
        let order = Order {
            target: &[("kind", "token"), ("token", &id)],
            reason: "token_leaked",
            note: "found in a build log",
        };
        self.end(&order, &rows).await
    }

    async fn one_user(&self) -> anyhow::Result<()> {
        let ((grace, sign_in), (alan, others)) = (self.sign_in(GRACE)?, self.sign_in(ALAN)?);
        let name = grace.first_name();
        heading(&format!("Revoke one user: {name} has left"));
        let portal = format!("{name}, Staff portal");
        let rows = [
            Row::new(&portal, Sight::Userinfo(sign_in.portal.access())),
            Row::new(&portal, Sight::Introspection(&self.company.orders, sign_in.portal.access())),
            Row::new(&portal, Sight::Refresh(&sign_in.portal)),
            Row::new(format!("{name}, Order desk"), Sight::Refresh(&sign_in.desk)),
            Row::new(format!("{name}'s browser"), Sight::Browser(&sign_in.browser, &self.company.portal)),
            Row::new(format!("{}, Staff portal", alan.first_name()), Sight::Userinfo(others.portal.access())),
        ];
        let target = [("kind", "user"), ("user", grace.user_name.as_str())];
        self.end(&Order { target: &target, reason: "left_company", note: "last day" }, &rows).await
    }

    async fn one_api(&self) -> anyhow::Result<()> {
        let (alan, sign_in) = self.sign_in(ALAN)?;
        let (orders, reports) = (&self.company.orders, &self.company.reports);
        heading(&format!("Revoke one API: {} was broken into", orders.name));
        let desk = format!("{}, Order desk", alan.first_name());
        let rows = [
            Row::new(&desk, Sight::Introspection(orders, sign_in.desk.access())),
            Row::new(&desk, Sight::Refresh(&sign_in.desk)),
            Row::new("Nightly reports, for Orders", Sight::Introspection(orders, self.issued.service_orders.clone())),
            Row::new(
                "Nightly reports, for Payroll",
                Sight::Introspection(&self.company.payroll, self.issued.service_payroll.clone()),
            ),
            Row::new("Nightly reports, for Orders", Sight::NewToken(reports, orders)),
        ];
        let order = Order {
            target: &[("kind", "api"), ("api", ORDERS)],
            reason: "policy",
            note: "the API's host was taken over",
        };
        self.end(&order, &rows).await?;
        note("A new token is to be had: ending is not banning. Whoever signs in again, starts afresh.");
        Ok(())
    }

    /// Preview, before, the order, after. The first row's question is asked while the order is under way.
    async fn end(&self, order: &Order<'_>, rows: &[Row<'_>]) -> anyhow::Result<()> {
        let before = look_at_all(self.web, rows).await?;
        // After the questions: a refresh brings a token more.
        let reach = order.preview(self.admin).await?;
        ensure!(!reach.is_nothing(), "there is nothing to end");
        note(&format!("Preview, what would end: {reach}"));
        let Some(first) = rows.first() else { return Ok(()) };
        let effect = order.carry_out(self.admin, self.web, &first.sight).await?;
        let left = order.preview(self.admin).await?;
        let after = look_at_all(self.web, rows).await?;
        println!();
        print(&compare(rows, before, after));
        println!();
        effect.tell();
        note(&format!("Preview again, what is left of it: {left}"));
        ensure!(left.is_nothing(), "something outlived the order: {left}");
        Ok(())
    }
}
