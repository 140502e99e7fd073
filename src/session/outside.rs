//! What happens outside of a session while it waits: the proxy's end, newer rules, an operator who ends it, the end of its
//! token. Also the time after which an idle session gives its room back.
//!
//! To enter a list that all sessions share in each pause, and to leave it again, costs more than the pause: so a waiter
//! stays there for as long as nothing has happened, and rings a bell of the session's own.
//!
//! INVARIANT: whatever happens after the waiter was put there rings; and whoever puts it there looks at everything
//! afterwards. A bell that has rung is never taken for one that has not.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A session in which nothing has moved for so long, and at most for twice as long, gives its room back.
const REST: Duration = Duration::from_secs(1);

/// The session's side of what happens outside.
#[derive(Default)]
pub struct Outside {
    bell: Arc<Bell>,
    /// Whom the bell wakes.
    session: Option<Waker>,
    waiting: Option<Waiting>,
    /// Until the session may be idle; `None`: it has no room to give back.
    rest: Option<Pin<Box<Sleep>>>,
    /// Something has moved since the last look at it.
    is_busy: bool,
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What has been heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Something may have happened: all is to be looked at.
    Something,
    /// Nothing has moved for a while.
    Idle,
}

#[derive(Default)]
struct Bell {
    has_rung: AtomicBool,
    session: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First: whoever is woken must see it.
        self.has_rung.store(true, Ordering::Release);
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(session) = session {
            session.wake();
        }
    }
}

impl Outside {
    /// Ready when there is something to be looked at. `wait` gives what returns when something happens from now on.
    pub fn poll<W>(&mut self, context: &Context<'_>, wait: impl FnOnce() -> W) -> Poll<Heard>
    where
        W: Future<Output = ()> + Send + Sync + 'static,
    {
        if self.session.as_ref().is_none_or(|session| !session.will_wake(context.waker())) {
            let session = Some(context.waker().clone());
            self.session.clone_from(&session);
            *self.bell.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
        }
        // It is taken before anything is looked at: what rings from here on is heard next time.
        if self.bell.has_rung.load(Ordering::Acquire)
            && self.bell.has_rung.swap(false, Ordering::AcqRel)
        {
            if self.is_idle() {
                return Poll::Ready(Heard::Idle);
            }
            if let Some(waiting) = &mut self.waiting
                && is_ready(waiting.as_mut(), &self.bell)
            {
                self.waiting = None;
            }
        }
        if self.waiting.is_some() {
            return Poll::Pending;
        }
        // A task that has used up its turn is told to come again by the same bell: that is not for what waits here.
        let mut waiting: Waiting = Box::pin(unconstrained(wait()));
        if !is_ready(waiting.as_mut(), &self.bell) {
            self.waiting = Some(waiting);
        }
        Poll::Ready(Heard::Something)
    }

    /// Something has moved.
    pub fn moves(&mut self) {
        self.is_busy = true;
    }

    /// The session pauses, perhaps for long.
    pub fn pauses(&mut self) {
        if self.is_busy && self.rest.is_none() {
            self.rest = Some(Box::pin(sleep_until(Instant::now() + REST)));
            self.looks_again();
        }
    }

    /// True once the session has been idle for long enough.
    fn is_idle(&mut self) -> bool {
        if self.rest.as_ref().is_none_or(|rest| !rest.is_elapsed()) {
            return false;
        }
        if !std::mem::take(&mut self.is_busy) {
            self.rest = None;
            return true;
        }
        if let Some(rest) = &mut self.rest {
            rest.as_mut().reset(Instant::now() + REST);
        }
        self.looks_again();
        false
    }

    fn looks_again(&mut self) {
        self.is_busy = false;
        if let Some(rest) = &mut self.rest
            && is_ready(Pin::new(&mut unconstrained(rest.as_mut())), &self.bell)
        {
            // Somebody has slept through it.
            self.bell.wake_by_ref();
        }
    }
}

fn is_ready<F: Future<Output = ()> + ?Sized>(future: Pin<&mut F>, bell: &Arc<Bell>) -> bool {
    let waker = Waker::from(Arc::clone(bell));
    future.poll(&mut Context::from_waker(&waker)).is_ready()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::watch;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn changes(mut seen: watch::Receiver<u32>) {
        seen.mark_unchanged();
        if seen.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn look(outside: &mut Outside, task: &Arc<Counting>, seen: &watch::Receiver<u32>) -> bool {
        let waker = Waker::from(Arc::clone(task));
        let heard = outside.poll(&Context::from_waker(&waker), || changes(seen.clone()));
        assert_ne!(heard, Poll::Ready(Heard::Idle));
        heard.is_ready()
    }

    #[test]
    fn each_change_is_heard_once_by_whoever_waits_now() {
        let (sender, seen) = watch::channel(0);
        let (mut outside, [first, second]) = (Outside::default(), [(); 2].map(|()| Arc::default()));
        let count = |task: &Arc<Counting>| task.0.load(Ordering::SeqCst);
        assert!(look(&mut outside, &first, &seen), "everything is looked at, once one waits");
        assert!(!look(&mut outside, &first, &seen));
        for number in 1..4 {
            sender.send_replace(number);
            assert_eq!(count(&first), usize::try_from(number).unwrap());
            assert!(look(&mut outside, &first, &seen));
            assert!(!look(&mut outside, &first, &seen));
        }
        // Two before anybody looks; a ring with nothing behind it.
        sender.send_replace(4);
        sender.send_replace(5);
        assert!(look(&mut outside, &first, &seen) && !look(&mut outside, &first, &seen));
        outside.bell.wake_by_ref();
        assert!(!look(&mut outside, &first, &seen));
        // Somebody else waits from here on.
        let before = count(&first);
        assert!(!look(&mut outside, &second, &seen));
        sender.send_replace(6);
        assert_eq!((count(&first), count(&second)), (before, 1));
        assert!(look(&mut outside, &second, &seen));
        drop(sender);
        assert!(!look(&mut outside, &second, &seen), "nothing changes any more");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_change_is_missed_whenever_it_comes() {
        let (sender, seen) = watch::channel(0);
        let waiting = tokio::spawn(async move {
            let mut outside = Outside::default();
            while *seen.borrow() < 20_000 {
                poll_fn(|context| outside.poll(context, || changes(seen.clone()))).await;
            }
        });
        for number in 1..=20_000 {
            sender.send_replace(number);
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
        waiting.await.expect("it sees the last one, or waits for ever");
    }

    #[tokio::test]
    async fn who_is_idle_is_told_once() {
        let (_sender, seen) = watch::channel(0);
        let mut outside = Outside::default();
        let told = poll_fn(|context| outside.poll(context, || changes(seen.clone()))).await;
        assert_eq!(told, Heard::Something);
        outside.moves();
        outside.pauses();
        let told = poll_fn(|context| outside.poll(context, || changes(seen.clone()))).await;
        assert_eq!(told, Heard::Idle);
        outside.pauses();
        assert!(outside.rest.is_none(), "nothing has moved since");
        outside.moves();
        outside.pauses();
        assert!(outside.rest.is_some());
    }
}
