//! Spans of logins, sessions and statements for an OpenTelemetry collector, if the configuration names one.
//!
//! A session is a trace: its login, and when it is over, itself. Each statement is a trace of its own, linked to its
//! session, so that a share of them can be taken and a session of days does not become one trace of millions. Spans wait in
//! a bounded queue of the SDK's and are sent by a thread of its own: when the collector is slow or gone, spans are lost
//! and nobody waits.
//!
//! INVARIANT: a span holds words of this program, names of roles, databases and relations, numbers and times. `Fact` is
//! all there is to say, and there is no other way into a span: no event, no message, no text of a client.

mod fact;
mod post;
mod sqlstate;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanLimits,
};

use fact::Fact;
use post::Poster;
pub use post::{Address, AddressFault};

/// How long the last spans may take when Scrim stops.
const LAST: Duration = Duration::from_secs(3);

/// `telemetry:` of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryOptions {
    /// The collector.
    pub address: Address,
    /// `service.name`.
    pub service_name: String,
    /// The share of sessions, and of statements, from 0 to 1.
    pub sample: f64,
}

/// Where spans go.
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// Starts sending, on the runtime that is running. The collector need not be there.
    ///
    /// # Errors
    /// What the exporter has against its settings, which may come from the environment too.
    pub fn start(options: &TelemetryOptions) -> Result<Arc<Telemetry>, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Poster::new(options.address.clone()))
            .with_endpoint(options.address.to_string())
            .build()
            .map_err(|error| format!("error: `telemetry` cannot be started: {error}"))?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample)));
        // Nothing of the machine, the process or the environment is added by itself.
        let resource = Resource::builder_empty()
            .with_service_name(options.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let limits = SpanLimits { max_events_per_span: 0, ..SpanLimits::default() };
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource)
            .with_span_limits(limits)
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .build();
        let tracer = provider.tracer("scrim");
        Ok(Arc::new(Telemetry { provider, tracer }))
    }

    /// A client has logged in that `arrived` then.
    pub fn session(
        self: &Arc<Self>,
        session: u64,
        role: &str,
        database: &str,
        arrived: SystemTime,
    ) -> SessionTrace {
        let builder = builder("session", SpanKind::Server).with_start_time(arrived);
        let mut span = self.tracer.build_with_context(builder, &Context::new());
        let parent = Context::new().with_remote_span_context(span.span_context().clone());
        let builder = self::builder("login", SpanKind::Internal).with_start_time(arrived);
        let mut login = self.tracer.build_with_context(builder, &parent);
        let (role, database) = (Arc::from(role), Arc::from(database));
        let facts = || common(session, &role, &database);
        note(&mut span, facts);
        note(&mut login, facts);
        login.end();
        SessionTrace { telemetry: Arc::clone(self), span, session, role, database, statements: 0 }
    }

    /// A client has been sent away before it had a session; SQLSTATE says why.
    pub fn login_refused(&self, session: u64, arrived: SystemTime, code: &str) {
        let builder = builder("login", SpanKind::Server).with_start_time(arrived);
        let mut span = self.tracer.build_with_context(builder, &Context::new());
        note(&mut span, || [Fact::Session(session), Fact::Error(code)]);
        span.set_status(Status::error(""));
        span.end();
    }

    /// Sends what waits.
    pub async fn stop(&self) {
        let provider = self.provider.clone();
        let stopping = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST));
        // What the collector did not take is lost.
        let _ = tokio::time::timeout(LAST, stopping).await;
    }
}

/// A session's trace. Ends when it is dropped.
#[derive(Debug)]
pub struct SessionTrace {
    telemetry: Arc<Telemetry>,
    span: Span,
    session: u64,
    role: Arc<str>,
    database: Arc<str>,
    statements: u64,
}

/// What is known of a statement when it is sent or refused.
#[derive(Clone, Copy)]
pub struct Begun<'a> {
    /// `forward`, `rewrite`, `refuse`
    pub verdict: &'static str,
    /// Its kind, if it was read.
    pub kind: Option<&'static str>,
    /// Word for the reason of a refusal.
    pub reason: Option<&'static str>,
    /// How long it took from its text to what is sent, if that was just now.
    pub planning: Option<Duration>,
    /// `schema.name` of what it reads and writes, as in the catalog.
    pub relations: &'a dyn Fn() -> Vec<String>,
    /// Columns that it reads masked.
    pub masked_columns: usize,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// Rows given to the client.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// From accepted to the end of the answer.
    pub upstream: Duration,
    /// SQLSTATE.
    pub error: Option<&'a str>,
}

impl SessionTrace {
    /// A statement is about to be sent, or has been refused. `None`: it is none of those that are taken.
    pub fn statement(&mut self, number: u64, begun: Begun<'_>) -> Option<Box<StatementTrace>> {
        self.statements = self.statements.saturating_add(1);
        let now = SystemTime::now();
        let start = now.checked_sub(begun.planning.unwrap_or_default()).unwrap_or(now);
        let mut builder = builder("statement", SpanKind::Server).with_start_time(start);
        let session: &SpanContext = self.span.span_context();
        if session.is_sampled() {
            builder = builder.with_links(vec![Link::with_context(session.clone())]);
        }
        let mut span = self.telemetry.tracer.build_with_context(builder, &Context::new());
        if !span.is_recording() {
            return None;
        }
        let relations = (begun.relations)();
        note(&mut span, || {
            common(self.session, &self.role, &self.database).into_iter().chain([
                Fact::Statement(number),
                Fact::Verdict(begun.verdict),
                Fact::Kind(begun.kind),
                Fact::Reason(begun.reason),
                Fact::Planning(begun.planning),
                Fact::Relations(relations),
                Fact::MaskedColumns(begun.masked_columns),
            ])
        });
        Some(Box::new(StatementTrace { span }))
    }
}

impl Drop for SessionTrace {
    fn drop(&mut self) {
        let statements = self.statements;
        note(&mut self.span, || [Fact::Statements(statements)]);
        self.span.end();
    }
}

/// A statement that is under way. Ends when it is dropped.
#[derive(Debug)]
pub struct StatementTrace {
    span: Span,
}

impl StatementTrace {
    /// It has been refused.
    pub fn refused(mut self: Box<Self>, code: &str) {
        note(&mut self.span, || [Fact::Error(code)]);
        self.span.set_status(Status::error(""));
    }

    /// It has ended.
    pub fn ended(mut self: Box<Self>, ended: Ended<'_>) {
        note(&mut self.span, || {
            let error = ended.error.map(Fact::Error);
            let facts =
                [Fact::Rows(ended.rows), Fact::Bytes(ended.bytes), Fact::Upstream(ended.upstream)];
            facts.into_iter().chain(error)
        });
        if ended.error.is_some() {
            self.span.set_status(Status::error(""));
        }
    }
}

fn builder(name: &'static str, kind: SpanKind) -> SpanBuilder {
    SpanBuilder::from_name(name).with_kind(kind)
}

fn common<'a>(session: u64, role: &Arc<str>, database: &Arc<str>) -> [Fact<'a>; 4] {
    [
        Fact::System,
        Fact::Session(session),
        Fact::Role(Arc::clone(role)),
        Fact::Database(Arc::clone(database)),
    ]
}

/// The one place that puts something into a span.
fn note<'a, F: IntoIterator<Item = Fact<'a>>>(span: &mut Span, facts: impl FnOnce() -> F) {
    if span.is_recording() {
        span.set_attributes(facts().into_iter().filter_map(Fact::attribute));
    }
}
