/// Whether the end of significant children shuts the supervision down.
///
/// As OTP 24's `auto_shutdown`: only a child that ends by itself counts, which
/// is one that finished or was given up. One that was stopped or removed by a
/// command, or stopped with its group, does not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AutoShutdown {
    /// When a significant child ended and no other one is left.
    AllSignificant,
    /// When one significant child ended.
    AnySignificant,
    /// Never.
    Never,
}
