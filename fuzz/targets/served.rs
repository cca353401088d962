//! A whole server inside the fuzzer, on a throw-away folder, asked without a network.

use std::sync::OnceLock;

use axum::{Router, body::Body, http::Request, response::Response};
use rescind::{admin, app::Opened, clock::Clock, config, pace::Pace, peer::LocalPeer};
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// A public client that may send people to [`BACK`].
pub const CLIENT: &str = "shop";
pub const BACK: &str = "https://shop.example/back";

struct Served {
    runtime: Runtime,
    public: Router,
    local: Router,
}

fn served() -> &'static Served {
    static SERVED: OnceLock<Served> = OnceLock::new();
    SERVED.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("rescind-fuzz-{}", std::process::id()));
        let text = format!("issuer = \"http://127.0.0.1\"\ndata_dir = {folder:?}");
        let config = config::from_toml(&text, []).expect("a sound configuration");
        let (app, _writer) =
            Opened::open(config, Clock::System, Pace::Free).and_then(Opened::start).expect("a fresh folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let served = Served { runtime, public: rescind::router(&app), local: admin::local_router(&app) };
        let client = format!(r#"{{"id":"{CLIENT}","name":"x","auth_method":"none","redirect_uris":["{BACK}"]}}"#);
        let answer = served.ask_locally("/clients", client.into());
        assert!(answer.status().is_success(), "the client was not added");
        served
    })
}

impl Served {
    fn ask_locally(&self, path: &str, body: Vec<u8>) -> Response {
        let request = Request::post(format!("/admin/v1{path}"))
            .header("content-type", "application/json")
            .extension(LocalPeer { uid: 0 })
            .body(Body::from(body))
            .expect("a sound request");
        self.runtime.block_on(self.local.clone().oneshot(request)).expect("never fails")
    }
}

/// Asks as a stranger does.
pub fn ask(request: Request<Body>) -> Response {
    let served = served();
    served.runtime.block_on(served.public.clone().oneshot(request)).expect("never fails")
}

/// Posts to the admin API as the machine's owner does.
pub fn ask_locally(path: &str, body: Vec<u8>) -> Response {
    served().ask_locally(path, body)
}
