//! What the audit trail costs: two records for each statement, accepted, written and chained.
//!
//! `cargo bench --bench audit`. Records come faster than they are written, so the time is the writer's, which alone has
//! the chain to make: what a machine with many sessions needs one core for. One sync to the disk is in it, at the end.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where it cannot go on")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use scrim::audit::{
    Audit, AuditOptions, NotAccepted, Outcome, Record, RelationRead, SessionFacts, StatementFacts,
    StatementRecord, Verdict,
};

/// Enough that the first and the last batch, for which the writer lets records gather, do not count.
const STATEMENTS: u64 = 20_000;

fn session() -> SessionFacts {
    SessionFacts {
        session: 7,
        user: "alice".into(),
        role: "support".into(),
        client: "127.0.0.1".into(),
        via: None,
        application: "pgbench".into(),
        database: "desk".into(),
        rules: "5d0c1a2b3c4d5e6f".into(),
    }
}

fn statement() -> StatementFacts {
    let masks = [("name", "name"), ("email", "email"), ("phone", "phone"), ("balance", "redact")];
    let masked = masks.map(|(column, mask)| (column.to_owned(), mask.into()));
    StatementFacts {
        relations: vec![RelationRead {
            relation: "public.customers".into(),
            clear: vec!["id".into()],
            masked: masked.into_iter().collect(),
        }],
        ..StatementFacts::of_shape(
            "SELECT id, name, email, phone, balance FROM public.customers WHERE id = $1".into(),
        )
    }
}

/// Accepts a record as soon as there is room for it.
async fn accept(audit: &Audit, record: impl Fn() -> Record) {
    while let Err(error) = audit.accept(record()).await {
        assert_eq!(error, NotAccepted::Full);
        std::thread::yield_now();
    }
}

async fn run(audit: &Audit, facts: &Arc<SessionFacts>, about: &Arc<StatementFacts>) {
    for statement in 1..=STATEMENTS {
        let record = || {
            Record::Statement(Box::new(StatementRecord {
                facts: Arc::clone(facts),
                statement,
                end_user: None,
                purpose: None,
                details: Arc::default(),
                verdict: Verdict::Rewrite,
                reason: None,
                rule: None,
                about: Arc::clone(about),
            }))
        };
        accept(audit, record).await;
        let (session, rows, bytes, duration_us) = (7, 1, 90, 250);
        let outcome = || Outcome {
            session,
            statement,
            rows,
            bytes,
            duration_us,
            error: None,
            rows_seen: None,
        };
        accept(audit, || Record::Completed(outcome())).await;
    }
    audit.close().await;
}

fn trail(bench: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (facts, about) = (Arc::new(session()), Arc::new(statement()));
    let mut group = bench.benchmark_group("audit");
    group.sample_size(10);
    group.throughput(Throughput::Elements(STATEMENTS));
    group.bench_function("statements", |bencher| {
        bencher.iter_batched(
            || {
                let folder = tempfile::tempdir().unwrap();
                let options = AuditOptions::of_file(folder.path().join("audit.jsonl"));
                (Audit::open(&options).unwrap(), folder)
            },
            |(audit, folder)| {
                runtime.block_on(run(&audit, &facts, &about));
                black_box(folder)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, trail);
criterion_main!(benches);
