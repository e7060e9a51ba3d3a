use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Check, Dice, EndpointId};
use futures_util::FutureExt;
use ractor::RpcReplyPort;
use tokio::time::{sleep, timeout};

use super::log;
use super::owner::PoolMessage;
use super::renewal::Renewal;
use super::shared::Shared;
use super::slot::Slot;
use crate::CancellationToken;

/// Checks an endpoint until `stop` is cancelled or the endpoint is gone.
pub(super) async fn run<T: Clone + Send + Sync + 'static>(
    shared: Arc<Shared<T>>,
    id: EndpointId,
    stop: CancellationToken,
) -> Result<(), std::convert::Infallible> {
    let rounds = async {
        let mut is_first = true;
        let mut failures: u32 = 0;
        while let Some(slot) = shared.slot(id) {
            let (plan, reconfigured) =
                (shared.config().check_plan(), shared.reconfigured.notified());
            if is_first {
                // All endpoints are checked from now on, but not all at once.
                sleep(plan.first_wait(&mut Dice::seeded(fastrand::u64(..)))).await;
            }
            let renews = plan.renews_after(failures);
            let renewal = slot.renewal.as_ref().filter(|_| renews);
            let check = ask(&slot, plan.limit(), renewal).await;
            failures = match check {
                Check::Failed => failures.saturating_add(1),
                Check::Passed => 0,
            };
            let told = |reply| PoolMessage::Checked(id, check, reply);
            let wait = match tell(&shared, told).await {
                Some(Some(wait)) => wait,
                Some(None) => return,
                // The pool's owner is being restarted, or is gone with the box.
                None => OWNER_IS_AWAY,
            };
            is_first = timeout(wait, reconfigured).await.is_ok();
        }
    };
    stop.run_until_cancelled(rounds).await;
    Ok(())
}

/// Runs one check, which has failed if it does anything but pass.
async fn ask<T>(slot: &Slot<T>, limit: Duration, renewal: Option<&Renewal<T>>) -> Check
where
    T: Clone + Send + Sync + 'static,
{
    let Some(check) = &slot.check else {
        return Check::Passed;
    };
    let asked = AssertUnwindSafe(async {
        if let Some(renewal) = renewal {
            renewal.before_check(&slot.value);
        }
        check.check(slot.value.clone()).await
    });
    match timeout(limit, asked.catch_unwind()).await {
        Ok(Ok(Ok(()))) => Check::Passed,
        Ok(Ok(Err(error))) => {
            log::check_failed(&slot.name, &*error);
            Check::Failed
        }
        Ok(Err(_)) | Err(_) => Check::Failed,
    }
}

/// Asks the pool's owner; returns None if there is none any more.
///
/// A message that is sent as the owner ends may lie in its mailbox, and the reply with
/// it, for as long as anybody has the address. So this also waits for the end.
pub(super) async fn tell<T, R: Send + 'static>(
    shared: &Shared<T>,
    message: impl FnOnce(RpcReplyPort<R>) -> PoolMessage<T>,
) -> Option<R>
where
    T: Send + Sync + 'static,
{
    let owner = shared.actor()?;
    let (reply, mut answer) = ractor::concurrency::oneshot();
    owner.cast(message(reply.into())).ok()?;
    tokio::select! {
        biased;
        answer = &mut answer => answer.ok(),
        _ended = owner.wait(None) => answer.try_recv().ok(),
    }
}

const OWNER_IS_AWAY: Duration = Duration::from_secs(1);
