//! What operators see: counters and histograms in Prometheus' text form. Labels never carry names of people or tokens.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use metrics::{Counter, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The server's own recorder: not a global, so that two servers in one process do not mix.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    introspections: [Counter; 2],
    /// Seconds from an accepted order to its acknowledgement.
    pub revoke_seconds: Histogram,
    /// From the writer's hand until entries were in force.
    pub time_to_effect: Buckets,
    /// Tokens hashed to be revoked.
    pub hashed: Counter,
    /// Orders for which nobody waited for a second administrator: there from the start, so that its first move is seen.
    pub glass_broken: Counter,
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
        describe("rescind_tokens_issued_total", "Access tokens issued, by grant type.");
        describe("rescind_requests_refused_total", "Requests answered with an error, by error code.");
        let (unsigned, uncounted) = ("rescind_audit_heads_unsigned_total", "rescind_audit_refusals_counted_only_total");
        describe(unsigned, "Times that the head of the audit trail could not be signed.");
        describe(uncounted, "Refusals without a record of their own, because there were too many in that minute.");
        let broken = "rescind_break_glass_total";
        describe(broken, "Orders for which nobody waited for the approval of a second administrator.");
        let glass_broken = recorder.register_counter(&Key::from_name(broken), &LEVEL);
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
            time_to_effect: Buckets::default(),
            hashed,
            glass_broken,
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
        let mut text = self.handle.render();
        let about =
            "From the moment the writer took an order until it was in force here, for each entry of the ledger.";
        self.time_to_effect.render("rescind_time_to_effect_seconds", about, &mut text);
        text
    }
}

/// Upper bounds of the buckets, in milliseconds.
pub const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// A histogram that can be read in this process as well as by Prometheus.
#[derive(Debug, Default)]
pub struct Buckets {
    /// How many were no longer than each bound and longer than the one before; the last: longer than all.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Buckets {
    /// Counts something that took so long, so many times.
    pub fn observe(&self, took: Duration, times: usize) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let times = u64::try_from(times).unwrap_or(u64::MAX);
        let place = BOUNDS_MS.partition_point(|bound| *bound < millis);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        self.sum_ms.fetch_add(millis.saturating_mul(times), Ordering::Relaxed);
    }

    /// How many there were of at most each bound in milliseconds, none standing for no bound.
    #[must_use]
    pub fn cumulative(&self) -> Vec<(Option<u64>, u64)> {
        let bounds = BOUNDS_MS.iter().copied().map(Some).chain([None]);
        let mut total = 0;
        let each = self.counts.iter().map(|count| {
            total += count.load(Ordering::Relaxed);
            total
        });
        bounds.zip(each).collect()
    }

    fn render(&self, name: &str, about: &str, text: &mut String) {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} histogram");
        let buckets = self.cumulative();
        for (bound, count) in &buckets {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |millis| seconds(millis).to_string());
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum = seconds(self.sum_ms.load(Ordering::Relaxed));
        let count = buckets.last().map_or(0, |(_, count)| *count);
        let _ = writeln!(text, "{name}_sum {sum}\n{name}_count {count}\n");
    }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_reads_the_same_in_the_process_and_at_metrics() {
        let telemetry = Telemetry::default();
        telemetry.time_to_effect.observe(Duration::from_millis(1), 2);
        telemetry.time_to_effect.observe(Duration::from_millis(30), 1);
        telemetry.time_to_effect.observe(Duration::from_secs(60), 1);
        let seen = telemetry.time_to_effect.cumulative();
        assert_eq!((seen[0], seen[5], seen[11], seen[12]), ((Some(1), 2), (Some(50), 3), (Some(5000), 3), (None, 4)));
        let text = telemetry.render();
        for line in
            ["_bucket{le=\"0.001\"} 2", "_bucket{le=\"0.05\"} 3", "_bucket{le=\"+Inf\"} 4", "_sum 60.032", "_count 4"]
        {
            assert!(text.contains(&format!("rescind_time_to_effect_seconds{line}\n")), "{line} in {text}");
        }
    }
}
