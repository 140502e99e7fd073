//! One client: greeting, login, and the queue of expected replies.
