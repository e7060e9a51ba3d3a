use ractor::ActorRef;

use super::worker::{Diary, Fault, Recipe, WorkerMessage};
use super::{SECOND, restarted, supervise, until};

/// R31, R33 (T28): a life's own children end with it, names and all.
#[tokio::test(start_paused = true)]
async fn r31_the_next_life_finds_the_names_of_its_children_free() {
    let diary = Diary::new();
    let supervisor = supervise([Recipe::new("worker", &diary).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    for _ in 0..3 {
        let name = "the next life finds this free".to_owned();
        let marry = child.ask(|reply| WorkerMessage::Marry(name, reply), SECOND);
        marry.await.unwrap();
        let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
        child.ask(fail, SECOND).await.unwrap_err();
    }
    assert_eq!(child.ask(WorkerMessage::Life, SECOND).await, Ok(4));
    let spouses = diary
        .read()
        .into_iter()
        .filter(|line| line == "spouse stopped");
    assert_eq!(spouses.count(), 3);
}

/// R31: news of a former life's children would end the new life, by default.
#[tokio::test(start_paused = true)]
async fn r31_a_new_life_hears_nothing_of_a_former_lifes_children() {
    let diary = Diary::new();
    let supervisor = supervise([Recipe::new("worker", &diary).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let before = child.actor();
    let mut events = supervisor.events();
    let name = "a former life's child".to_owned();
    let marry = child.ask(|reply| WorkerMessage::Marry(name, reply), SECOND);
    marry.await.unwrap();
    child.ask(WorkerMessage::Widow, SECOND).await.unwrap_err();
    until(&mut events, restarted).await;
    assert_eq!(child.ask(WorkerMessage::Life, SECOND).await, Ok(2));
    assert_eq!(child.actor(), before);
    assert!(!diary.read().contains(&"worker 2 lost a child".to_owned()));
}

/// R31: a life does hear of its own children, also after a restart.
#[tokio::test(start_paused = true)]
async fn r31_a_new_life_hears_of_its_own_children() {
    let diary = Diary::new();
    let supervisor = supervise([Recipe::new("worker", &diary).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let mut events = supervisor.events();
    let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    let name = "a new life's child".to_owned();
    let marry = child.ask(|reply| WorkerMessage::Marry(name.clone(), reply), SECOND);
    marry.await.unwrap();
    until(&mut events, restarted).await;
    ActorRef::<()>::where_is(name).unwrap().stop(None);
    until(&mut events, restarted).await;
    assert!(diary.read().contains(&"worker 2 lost a child".to_owned()));
}

/// R34: a child's own children are stopped in order, not killed.
#[tokio::test(start_paused = true)]
async fn r34_a_shutdown_lets_the_children_of_children_stop() {
    let diary = Diary::new();
    let supervisor = supervise([Recipe::new("worker", &diary).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let name = "a child's child at the shutdown".to_owned();
    let marry = child.ask(|reply| WorkerMessage::Marry(name, reply), SECOND);
    marry.await.unwrap();
    supervisor.shutdown().await;
    let expected = ["worker 1 started", "worker 1 stopped", "spouse stopped"];
    assert_eq!(diary.read(), expected);
}
