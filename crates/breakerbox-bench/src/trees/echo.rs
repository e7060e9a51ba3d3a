use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::Caller;
use crate::crash_log;

/// A ractor actor that answers, and crashes when told to.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

/// What it is sent.
#[derive(Debug)]
pub enum Question {
    /// To return an error.
    Crash,
    /// To answer.
    Echo(RpcReplyPort<()>),
}

impl Actor for Echo {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Result<(), ActorProcessingErr> {
        crash_log::started();
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        question: Question,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match question {
            Question::Crash => {
                crash_log::crashed();
                Err("asked to".into())
            }
            Question::Echo(reply) => {
                let _nobody_waits = reply.send(());
                Ok(())
            }
        }
    }
}

impl Caller for ActorRef<Question> {
    async fn ask(&self) {
        let answer = self.call(Question::Echo, None).await;
        assert!(matches!(answer, Ok(CallResult::Success(()))), "no answer");
    }

    async fn crash(&self) {
        self.cast(Question::Crash).expect("it takes messages");
    }
}
