use ractor::{Actor, ActorRef};

use super::scripted::{Ask, Idle, Script};
use super::worker::{Fault, Log, WorkerMessage, WorkerSpec};
use super::{SECOND, restarted, supervise, until};

/// R31, R33 (T28): linked actors end with their incarnation, names and all.
#[tokio::test(start_paused = true)]
async fn r31_names_of_linked_actors_are_free_after_a_restart() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    for _ in 0..3 {
        let name = "a name that each incarnation takes".to_owned();
        let spawn = child.ask(|reply| WorkerMessage::SpawnLinked(name, reply), SECOND);
        spawn.await.unwrap();
        let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
        child.ask(fail, SECOND).await.unwrap_err();
    }
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(4));
    let linked = log
        .read()
        .into_iter()
        .filter(|line| line == "linked actor stopped");
    assert_eq!(linked.count(), 3);
}

/// R31: by ractor's default such an event would stop the new incarnation.
#[tokio::test(start_paused = true)]
async fn r31_an_incarnation_gets_no_events_of_a_former_ones_linked_actors() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let before = child.actor();
    let mut events = supervisor.events();
    let name = "linked to a former incarnation".to_owned();
    let spawn = child.ask(|reply| WorkerMessage::SpawnLinked(name, reply), SECOND);
    spawn.await.unwrap();
    child
        .ask(WorkerMessage::KillLinked, SECOND)
        .await
        .unwrap_err();
    until(&mut events, restarted).await;
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
    assert_eq!(child.actor(), before);
    assert!(
        !log.read()
            .contains(&"worker 2 lost a linked actor".to_owned())
    );
}

/// R31: it gets those of its own linked actors, also after a restart.
#[tokio::test(start_paused = true)]
async fn r31_an_incarnation_gets_the_events_of_its_own_linked_actors() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let mut events = supervisor.events();
    let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    let name = "linked to a new incarnation".to_owned();
    let spawn = child.ask(
        |reply| WorkerMessage::SpawnLinked(name.clone(), reply),
        SECOND,
    );
    spawn.await.unwrap();
    until(&mut events, restarted).await;
    ActorRef::<()>::where_is(name).unwrap().stop(None);
    until(&mut events, restarted).await;
    assert!(
        log.read()
            .contains(&"worker 2 lost a linked actor".to_owned())
    );
}

/// R31: one that did not come up is a former one like any other.
#[tokio::test(start_paused = true)]
async fn r31_an_incarnation_gets_no_events_of_one_that_did_not_come_up() {
    let log = Log::new();
    let script = Script::new(&log).pre_start(|number, myself| async move {
        if number == 2 {
            Idle::spawn_linked(None, Idle, (), myself.get_cell()).await?;
            return Err("it did not come up".into());
        }
        Ok(())
    });
    let supervisor = supervise([script.child("child")]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    let mut events = supervisor.events();
    child.actor().cast(Ask::Fail).unwrap();
    let queued = child.ask(Ask::Who, SECOND).await;
    until(&mut events, restarted).await;
    assert_eq!(queued, Ok(3));
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(3));
    assert_eq!(log.read(), ["3 answers", "3 answers"]);
}

/// R31: also one that ends while the incarnation still starts.
#[tokio::test(start_paused = true)]
async fn r31_an_incarnation_gets_the_event_of_an_actor_that_ends_during_its_start() {
    let log = Log::new();
    let script = Script::new(&log).pre_start(|number, myself| async move {
        let (linked, _task) = Idle::spawn_linked(None, Idle, (), myself.get_cell()).await?;
        if number == 2 {
            linked.kill_and_wait(None).await?;
        }
        Ok(())
    });
    let supervisor = supervise([script.child("child")]).await;
    assert_eq!(supervisor.restart("child").await, Ok(()));
    let child = supervisor.child::<Ask>("child").unwrap();
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
    assert_eq!(
        log.read(),
        ["1 stops", "2 lost a linked actor", "2 answers"]
    );
}

/// R34: linked actors are stopped in order, not killed.
#[tokio::test(start_paused = true)]
async fn r34_a_shutdown_lets_linked_actors_stop() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let name = "linked at the shutdown".to_owned();
    let spawn = child.ask(|reply| WorkerMessage::SpawnLinked(name, reply), SECOND);
    spawn.await.unwrap();
    supervisor.shutdown().await;
    let expected = [
        "worker 1 started",
        "worker 1 stopped",
        "linked actor stopped",
    ];
    assert_eq!(log.read(), expected);
}
