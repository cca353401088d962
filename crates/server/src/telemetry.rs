//! What operators see: counters and histograms in Prometheus' text form. Labels never carry names of people or tokens.

use metrics::{Counter, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The server's own recorder: not a global, so that two servers in one process do not mix.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    introspections: [Counter; 2],
    /// Seconds from an accepted order to its acknowledgement.
    pub revoke_seconds: Histogram,
    /// Tokens hashed to be revoked.
    pub hashed: Counter,
    /// Times that the head of the audit trail could not be signed.
    pub audit_heads_unsigned: Counter,
    /// Refusals without a record of their own.
    pub audit_refusals_counted_only: Counter,
    /// Lines of the runtime API log that could not be written.
    pub runtime_log_lost: Counter,
}

const LEVEL: Metadata<'static> = Metadata::new("rescind", metrics::Level::INFO, None);

impl Default for Telemetry {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let describe = |name: &'static str, text: &'static str| {
            recorder.describe_counter(KeyName::from(name), None, SharedString::from(text));
        };
        describe("rescind_introspections_total", "Introspection answers, by whether the token was active.");
        describe("rescind_revocations_total", "Orders carried out, by kind of target and reason.");
        describe(
            "rescind_break_glass_total",
            "Orders for which nobody waited for the approval of a second administrator.",
        );
        describe("rescind_tokens_issued_total", "Access tokens issued, by grant type.");
        describe("rescind_requests_refused_total", "Requests answered with an error, by error code.");
        let (unsigned, uncounted) = ("rescind_audit_heads_unsigned_total", "rescind_audit_refusals_counted_only_total");
        describe(unsigned, "Times that the head of the audit trail could not be signed.");
        describe(uncounted, "Refusals without a record of their own, because there were too many in that minute.");
        let audit_heads_unsigned = recorder.register_counter(&Key::from_name(unsigned), &LEVEL);
        let audit_refusals_counted_only = recorder.register_counter(&Key::from_name(uncounted), &LEVEL);
        let revoke = KeyName::from("rescind_revoke_seconds");
        recorder.describe_histogram(revoke.clone(), Some(Unit::Seconds), "From order to acknowledgement.".into());
        let lost = "rescind_runtime_api_log_lines_lost_total";
        describe(lost, "Calls of the session endpoints whose line in runtime-api.log could not be written.");
        let runtime_log_lost = recorder.register_counter(&Key::from_name(lost), &LEVEL);
        let looked_up = "rescind_revocation_lookups_total";
        describe(looked_up, "Tokens looked up at the revocation endpoint: each costs one hash and one read.");
        let hashed = recorder.register_counter(&Key::from_name(looked_up), &LEVEL);
        let answer = |active: &'static str| {
            let key = Key::from_parts("rescind_introspections_total", vec![Label::new("active", active)]);
            recorder.register_counter(&key, &LEVEL)
        };
        let introspections = [answer("false"), answer("true")];
        let revoke_seconds = recorder.register_histogram(&Key::from_name(revoke), &LEVEL);
        Self {
            handle,
            introspections,
            revoke_seconds,
            hashed,
            audit_heads_unsigned,
            audit_refusals_counted_only,
            runtime_log_lost,
            recorder,
        }
    }
}

impl Telemetry {
    /// Counts one introspection answer.
    pub fn introspected(&self, active: bool) {
        if let Some(counter) = self.introspections.get(usize::from(active)) {
            counter.increment(1);
        }
    }

    /// Counts an event, with labels from a fixed set.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, &'static str)]) {
        let labels: Vec<_> = labels.iter().map(|(key, value)| Label::new(*key, *value)).collect();
        self.recorder.register_counter(&Key::from_parts(name, labels), &LEVEL).increment(1);
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &'static str, value: f64) {
        self.recorder.register_gauge(&Key::from_name(name), &LEVEL).set(value);
    }

    /// Takes in the samples that wait: unscraped, they would pile up.
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }

    /// Everything, as `/metrics` shows it.
    #[must_use]
    pub fn render(&self) -> String {
        self.tidy();
        self.handle.render()
    }
}
