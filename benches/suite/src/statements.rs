//! The statements that are measured. Those of pgbench are in `load/`.

/// One customer by the primary key: five columns, of which four are masked for role support.
pub const SELECT: &str = include_str!("../load/select.sql");

/// The same with the masks that support sees, as somebody would write them by hand.
pub const SELECT_BY_HAND: &str = include_str!("../load/select-by-hand.sql");

/// A statement that nobody has sent before: its names are new each time.
pub const TEXTS: &str = include_str!("../load/texts.sql");

/// pgbench's TPC-B, without its look into the catalogs.
pub const TPC_B: &str = include_str!("../load/tpcb.sql");

/// As little as a connection can be used for.
pub const CONNECT: &str = include_str!("../load/connect.sql");

/// Four masked columns of text.
pub const BULK: &str =
    "SELECT id, name, email, phone, card_number FROM public.customers WHERE id > 1000";

/// The same with the masks by hand.
pub const BULK_BY_HAND: &str = include_str!("../load/bulk-by-hand.sql");
