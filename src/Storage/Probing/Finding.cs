using BackupDr.Contracts;

namespace BackupDr.Storage.Probing;

/// <summary>What one step of a test found.</summary>
readonly record struct Finding(ProbeResult Result, string Sentence, string? Advice = null)
{
    /// <summary>A failure of the store, with what to do next.</summary>
    public static Finding Of(StoreException e) => new(ProbeResult.DoesNot, Words(e), e.Hint ?? e.Fault switch
    {
        StoreFault.Denied => "Check the credentials, and what they may do with this place.",
        StoreFault.Full => "Free some space, or raise the quota.",
        StoreFault.Throttled => "The store asks for fewer requests: test again in a few minutes.",
        StoreFault.Unavailable => "Test again; if it stays, look at the server and at the way to it.",
        _ => "Check the address and the options of the location.",
    });

    /// <summary>What a store said, as a sentence: its messages begin with what was attempted.</summary>
    public static string Words(BackupDrException e) => char.ToUpperInvariant(e.Message[0]) + e.Message[1..];

    /// <summary>With what it is about.</summary>
    public ProbeLine Line(ProbedAbility ability, long milliseconds) => new(ability, Result, Sentence, Advice, milliseconds);
}
