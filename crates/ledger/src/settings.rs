//! Settings: what an operator changes while the server runs. One table says which there are; a snapshot of their values is part
//! of the configuration, and each change is kept with who made it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Action, AuditEvent, ConfigurationChange, Door, Initiator, LedgerError, Timestamp};

/// An endpoint or ability that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    DynamicRegistration,
    EndSession,
    GlobalTokenRevocation,
    Introspection,
    LogoutStatusJwt,
    RevokeSession,
    RevokeToken,
    StatusList,
    Userinfo,
}

impl Feature {
    /// All of them, each with the name of its setting and what it switches. The names are Janssen's feature flags.
    pub const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::DynamicRegistration, "DYNAMIC_REGISTRATION", "Clients may register themselves at /register (RFC 7591)."),
        (Self::EndSession, "END_SESSION", "Applications may send people to /logout (RP-Initiated Logout)."),
        (
            Self::GlobalTokenRevocation,
            "GLOBAL_TOKEN_REVOCATION",
            "Everything of a user may be ended at /global-token-revocation.",
        ),
        (Self::Introspection, "INTROSPECTION", "APIs may ask about tokens at /introspect (RFC 7662)."),
        (Self::LogoutStatusJwt, "LOGOUT_STATUS_JWT", "Clients may ask for a Logout Status JWT at /authorize."),
        (Self::RevokeSession, "REVOKE_SESSION", "The sessions of a user may be ended at /revoke_session."),
        (Self::RevokeToken, "REVOKE_TOKEN", "Clients may revoke tokens at /revoke (RFC 7009)."),
        (
            Self::StatusList,
            "STATUS_LIST",
            "JWT access tokens refer to token status lists, which are served at /status_list.",
        ),
        (Self::Userinfo, "USERINFO", "Clients may ask for claims at /userinfo (OpenID Connect Core section 5.3)."),
    ];

    /// The name of its setting.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(feature, ..)| *feature == self).map_or("", |(_, name, _)| name)
    }
}

/// What becomes of a revocation whose interception script failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptFailure {
    /// It goes ahead as it was asked for.
    Allow,
    /// The caller is told to send it again: 503.
    #[default]
    Refuse,
}

/// Which values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Switch,
    Number { least: u32, most: u32, unit: &'static str },
    Choice(&'static [&'static str]),
}

impl Form {
    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Switch => value.is_boolean(),
            Self::Number { least, most, .. } => {
                value.as_u64().is_some_and(|n| (u64::from(least)..=u64::from(most)).contains(&n))
            }
            Self::Choice(of) => value.as_str().is_some_and(|text| of.contains(&text)),
        }
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch => f.write_str("true or false"),
            Self::Number { least, most, unit } => write!(f, "a whole number of {unit} from {least} to {most}"),
            Self::Choice(of) => write!(f, "one of: {}", of.join(", ")),
        }
    }
}

/// A setting as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    pub name: &'static str,
    pub form: Form,
    /// One or two sentences.
    pub summary: &'static str,
}

/// Why a setting was not changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WrongSetting {
    #[error("there is no setting `{0}`")]
    Unknown(String),
    #[error("the setting `{name}` takes {form}")]
    Value { name: &'static str, form: Form },
}

macro_rules! settings {
    ($($field:ident: $type:ty = $default:expr, $name:literal, $form:expr, $summary:literal;)*) => {
        /// The values in force: a snapshot, never changed.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            /// How many changes there were.
            pub version: u64,
            off: Vec<Feature>,
            $(#[doc = $summary] pub $field: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { version: 0, off: Vec::new(), $($field: $default,)* }
            }
        }

        const PROPERTIES: &[Definition] = &[$(Definition { name: $name, form: $form, summary: $summary }),*];

        impl Settings {
            fn property(&self, name: &str) -> Option<Value> {
                match name {
                    $($name => serde_json::to_value(&self.$field).ok(),)*
                    _ => None,
                }
            }

            fn put_property(&mut self, name: &str, value: Option<&Value>) -> serde_json::Result<()> {
                match name {
                    $($name => self.$field = match value {
                        Some(value) => serde_json::from_value(value.clone())?,
                        None => $default,
                    },)*
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

const DAY: u32 = 86_400;
const YEAR: u32 = 366 * DAY;
const SECONDS: &str = "seconds";

// Lifetimes without a value are those of the configuration file.
settings! {
    access_token_lifetime: Option<u32> = None, "accessTokenLifetime", Form::Number { least: 1, most: DAY, unit: SECONDS },
        "How long access tokens live, where their API says nothing else.";
    allow_all_value_for_revoke_endpoint: bool = false, "allowAllValueForRevokeEndpoint", Form::Switch,
        "A client that proves who it is may revoke everything it holds: token_type_hint=all or token=all at /revoke.";
    allow_revoke_for_other_clients: bool = false, "allowRevokeForOtherClients", Form::Switch,
        "A client with the scope revoke_any_token may revoke tokens of other clients at /revoke.";
    approval_lifetime: u32 = DAY, "approvalLifetime", Form::Number { least: 60, most: 30 * DAY, unit: SECONDS },
        "How long an order waits for the approval of a second administrator before it expires.";
    audit_retention_days: u32 = 400, "auditRetentionDays", Form::Number { least: 1, most: 3660, unit: "days" },
        "How long audit records are kept.";
    authorization_code_lifetime: Option<u32> = None, "authorizationCodeLifetime",
        Form::Number { least: 1, most: 600, unit: SECONDS },
        "How long authorization codes live.";
    fruitless_revocations_per_minute: u32 = 600, "fruitlessRevocationsPerMinute",
        Form::Number { least: 1, most: 1_000_000, unit: "tokens" },
        "How many tokens a client may ask /revoke for in vain a minute (a public one: from one address).";
    global_token_revocation_attribute_formats: bool = false, "globalTokenRevocationAttributeFormats", Form::Switch,
        "/global-token-revocation also takes a user attribute as the format, as in {\"format\":\"mail\",\"id\":...}.";
    guard_second_administrator: bool = false, "guardSecondAdministrator", Form::Switch,
        "A revocation above a guard's bound is carried out only once a second administrator has approved it.";
    guard_sessions_percent: u32 = 0, "guardSessionsPercent", Form::Number { least: 0, most: 99, unit: "percent" },
        "A revocation that ends more than this share of the live sessions has to be confirmed; 0 asks for nothing.";
    guard_users: u32 = 100, "guardUsers", Form::Number { least: 0, most: 100_000, unit: "users" },
        "A revocation that reaches more users than this has to be confirmed; 0 asks for nothing.";
    id_token_lifetime: Option<u32> = None, "idTokenLifetime", Form::Number { least: 1, most: DAY, unit: SECONDS },
        "How long ID tokens are valid.";
    keep_session_on_own_password_change: bool = true, "keepSessionOnOwnPasswordChange", Form::Switch,
        "Whoever changes their own password stays signed in where they did it; everything else of theirs ends.";
    logout_status_jwt_lifetime: u32 = DAY, "logoutStatusJwtLifetime", Form::Number { least: 60, most: 7 * DAY, unit: SECONDS },
        "How long Logout Status JWTs are valid.";
    max_tokens_per_user_per_application: u32 = 50, "maxTokensPerUserPerApplication",
        Form::Number { least: 0, most: 10_000, unit: "grants" },
        "How many grants with a refresh token a user may have at one application; the one used longest ago goes. 0: no limit.";
    refresh_token_lifetime: Option<u32> = None, "refreshTokenLifetime", Form::Number { least: 1, most: 5 * YEAR, unit: SECONDS },
        "How long a grant lives with all its refresh tokens, from the authorization on.";
    revoke_on_password_changed: bool = true, "revokeOnPasswordChanged", Form::Switch,
        "A new password ends everything the user holds, whoever set it.";
    revoke_on_user_disabled: bool = true, "revokeOnUserDisabled", Form::Switch,
        "Disabling a user ends everything the user holds. Without it, what they hold works again once they are enabled.";
    revoke_on_user_renamed: bool = true, "revokeOnUserRenamed", Form::Switch,
        "A new user name ends everything the user holds.";
    revoke_session_ends_tokens: bool = false, "revokeSessionEndsTokens", Form::Switch,
        "/revoke_session ends everything the user holds, tokens too, and not the sessions alone.";
    script_failure: ScriptFailure = ScriptFailure::Refuse, "scriptFailure", Form::Choice(&["allow", "refuse"]),
        "What becomes of a revocation whose script failed: refuse answers 503, and the caller tries again.";
    script_time_limit_ms: u32 = 50, "scriptTimeLimit", Form::Number { least: 1, most: 5000, unit: "milliseconds" },
        "How long one script may run.";
    session_id_lifetime: Option<u32> = None, "sessionIdLifetime", Form::Number { least: 1, most: YEAR, unit: SECONDS },
        "How long sessions last at all.";
    session_id_unused_lifetime: Option<u32> = None, "sessionIdUnusedLifetime",
        Form::Number { least: 1, most: YEAR, unit: SECONDS },
        "How long sessions last without activity.";
    status_list_response_jwt_lifetime: u32 = 600, "statusListResponseJwtLifetime",
        Form::Number { least: 60, most: DAY, unit: SECONDS },
        "How long a signed status list is valid.";
    status_list_ttl: u32 = 10, "statusListTtl", Form::Number { least: 1, most: 3600, unit: SECONDS },
        "How long a holder may keep a status list before asking again: what was revoked is seen that late at most.";
}

impl Settings {
    /// Every setting there is: the features, then the properties.
    pub fn definitions() -> impl Iterator<Item = Definition> {
        let features =
            Feature::ALL.into_iter().map(|(_, name, summary)| Definition { name, form: Form::Switch, summary });
        features.chain(PROPERTIES.iter().copied())
    }

    /// The setting of that name.
    ///
    /// # Errors
    /// [`WrongSetting::Unknown`].
    pub fn definition(name: &str) -> Result<Definition, WrongSetting> {
        Self::definitions().find(|known| known.name == name).ok_or_else(|| WrongSetting::Unknown(name.to_owned()))
    }

    /// Whether a feature is switched on.
    #[must_use]
    pub fn is_on(&self, feature: Feature) -> bool {
        !self.off.contains(&feature)
    }

    /// The value of a setting; null for one that the configuration file decides.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value> {
        let feature = Feature::ALL.into_iter().find(|(_, known, _)| *known == name);
        feature.map(|(feature, ..)| self.is_on(feature).into()).or_else(|| self.property(name))
    }

    /// Sets a value; `None` goes back to the default.
    ///
    /// # Errors
    /// If there is no such setting, or the value is none that it takes.
    pub fn put(&mut self, name: &str, value: Option<&Value>) -> Result<(), WrongSetting> {
        let Definition { name, form, .. } = Self::definition(name)?;
        if value.is_some_and(|value| !form.accepts(value)) {
            return Err(WrongSetting::Value { name, form });
        }
        if let Some((feature, ..)) = Feature::ALL.into_iter().find(|(_, known, _)| *known == name) {
            self.off.retain(|off| *off != feature);
            if value == Some(&Value::Bool(false)) {
                self.off.push(feature);
            }
        }
        self.put_property(name, value).map_err(|_| WrongSetting::Value { name, form })
    }
}

/// One change of a setting, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// Counts all changes of all settings.
    pub version: u64,
    pub at: Timestamp,
    pub name: String,
    /// None: back to the default.
    pub value: Option<Value>,
    pub initiator: Initiator,
    pub note: Option<String>,
}

/// What is asked to be set.
#[derive(Clone, Debug)]
pub struct NewSetting {
    pub name: String,
    pub value: Option<Value>,
    /// Refuse unless this many changes were made so far.
    pub expected_version: Option<u64>,
    pub initiator: Initiator,
    pub note: Option<String>,
}

impl Door<'_> {
    /// The settings as they stand at this very point of the transaction.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.pending_settings().unwrap_or_else(|| self.live.settings().as_ref().clone())
    }

    /// Changes a setting, with a record of it. The caller says what else has to hold of the result.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if the version is not the expected one, or with what `check` says.
    pub fn change_setting(
        &mut self,
        new: &NewSetting,
        check: impl FnOnce(&mut Self, &Settings) -> Result<(), LedgerError>,
    ) -> Result<SettingChange, LedgerError> {
        let mut settings = self.settings();
        if new.expected_version.is_some_and(|version| version != settings.version) {
            return Err(LedgerError::Refused("it was changed meanwhile; read it again"));
        }
        let before = settings.value(&new.name);
        settings
            .put(&new.name, new.value.as_ref())
            .map_err(|_| LedgerError::Refused("no such setting, or a value it does not take"))?;
        settings.version += 1;
        check(self, &settings)?;
        let change = SettingChange {
            version: settings.version,
            at: self.now,
            name: new.name.clone(),
            value: new.value.clone(),
            initiator: new.initiator.clone(),
            note: new.note.clone(),
        };
        self.tx.put_setting(&change)?;
        let shown = |value: Option<Value>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        let what = format!("{}: {} -> {}", new.name, shown(before), shown(settings.value(&new.name)));
        let event = AuditEvent::new(Action::Setting, Some(new.initiator.clone()), "set").about(what);
        self.record(&AuditEvent { note: new.note.clone(), ..event })?;
        self.change(ConfigurationChange::Settings(std::sync::Arc::new(settings)));
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_setting_takes_its_own_value_back_and_nothing_of_another_form() {
        let settings = Settings::default();
        for definition in Settings::definitions() {
            let mut changed = settings.clone();
            let value = settings.value(definition.name).unwrap();
            if !value.is_null() {
                changed.put(definition.name, Some(&value)).unwrap();
            }
            assert_eq!(changed, settings, "{}", definition.name);
            for wrong in [json!("planet"), json!(-1), json!([]), json!(1.5), Value::Null] {
                let refused = changed.put(definition.name, Some(&wrong)).unwrap_err();
                assert!(refused.to_string().contains(definition.name), "{refused}");
            }
        }
    }

    #[test]
    fn names_are_unique_and_every_setting_is_explained() {
        let names: Vec<&str> = Settings::definitions().map(|one| one.name).collect();
        let unique: std::collections::HashSet<&&str> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert!(Settings::definitions().all(|one| one.summary.len() > 20 && one.summary.ends_with('.')));
    }

    #[test]
    fn a_feature_is_on_until_it_is_switched_off_and_comes_back_with_its_default() {
        let mut settings = Settings::default();
        for (feature, name, _) in Feature::ALL {
            assert!(settings.is_on(feature));
            settings.put(name, Some(&json!(false))).unwrap();
            assert!(!settings.is_on(feature));
            settings.put(name, None).unwrap();
            assert!(settings.is_on(feature));
        }
        assert_eq!(settings.put("NOTHING", None), Err(WrongSetting::Unknown("NOTHING".to_owned())));
    }
}
