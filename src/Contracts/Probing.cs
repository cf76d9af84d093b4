namespace BackupDr.Contracts;

/// <summary>What a test of a place looks at, in the order in which it does.</summary>
public enum ProbedAbility
{
    /// <summary>An object can be put.</summary>
    Write,
    /// <summary>The same bytes come back.</summary>
    Read,
    /// <summary>A listing shows it at once.</summary>
    List,
    /// <summary>A second put of its name is refused and changes nothing.</summary>
    NoOverwrite,
    /// <summary>Of two writers of one name at the same moment exactly one wins.</summary>
    OneWinner,
    /// <summary>It can be deleted, and is gone.</summary>
    Delete,
    /// <summary>A retention is accepted, told again and kept.</summary>
    ObjectLock,
    /// <summary>What is deleted stays as an older version.</summary>
    Versions,
    /// <summary>Objects can lie in another, cheaper class.</summary>
    StorageClasses,
    /// <summary>Its clock shows what this machine's shows.</summary>
    Clock,
    /// <summary>How fast bytes go there and come back.</summary>
    Speed,
    /// <summary>The test's own objects are gone.</summary>
    CleanUp,
}

/// <summary>What was found.</summary>
public enum ProbeResult
{
    /// <summary>It was tried, and it does.</summary>
    Works,
    /// <summary>It was tried and failed, or this kind of place does not have it.</summary>
    DoesNot,
    /// <summary>It was not tried.</summary>
    Untested,
}

/// <summary>One line of a test of a place.</summary>
/// <param name="Ability">What was looked at.</param>
/// <param name="Result">What was found.</param>
/// <param name="Sentence">In words, with what the store said. Never a secret.</param>
/// <param name="Advice">What to do next, or what it means; null where there is nothing to add.</param>
/// <param name="Milliseconds">How long it took; 0 where nothing was tried.</param>
public sealed record ProbeLine(ProbedAbility Ability, ProbeResult Result, string Sentence, string? Advice, long Milliseconds);
