//! One client: greeting, login, and the queue of expected replies.

/// What a proxy is made of.
pub struct ProxyOptions {
    /// The PostgreSQL behind.
    pub endpoint: crate::upstream::Endpoint,
    /// What clients see.
    pub tls: crate::config::ClientTls,
    /// The rules.
    pub rules: std::sync::Arc<crate::rules::RuleSet>,
    /// The audit trail.
    pub audit: crate::audit::Audit,
}

/// Shared by all sessions.
pub struct Proxy {}

impl Proxy {
    /// `None` when there is no randomness.
    pub fn new(_options: ProxyOptions) -> Option<std::sync::Arc<Proxy>> {
        None
    }
}

/// Serves clients until `shutdown`.
pub async fn serve(
    _proxy: std::sync::Arc<Proxy>,
    _listener: tokio::net::TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    shutdown.await;
}
