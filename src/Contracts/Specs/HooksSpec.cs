namespace BackupDr.Contracts.Specs;

/// <summary>Programs of the host that run before and after a backup. They stand in a folder of the host that only its root fills; a policy
/// names them and can bring none along.</summary>
public sealed record HooksSpec
{
    /// <summary>Longest name, characters.</summary>
    public const int LongestName = 100;
    /// <summary>Shortest time limit.</summary>
    public static readonly TimeSpan ShortestLimit = TimeSpan.FromSeconds(1);
    /// <summary>Longest time limit.</summary>
    public static readonly TimeSpan LongestLimit = TimeSpan.FromHours(6);

    /// <summary>File name of the program that runs before; null for none.</summary>
    public string? Before { get; init; }
    /// <summary>File name of the program that runs after, whatever came of the backup, also where the one before failed; null for none.
    /// </summary>
    public string? After { get; init; }
    /// <summary>What happens where the one before fails.</summary>
    public HookFailure BeforeFailure { get; init; } = HookFailure.FailRun;
    /// <summary>How long each may run. 1 second to 6 hours; default 5 minutes.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether a text is the name of a file and nothing else: letters, digits, dot, dash and underscore, not hidden.</summary>
    public static bool IsName(string text) => text.Length is > 0 and <= LongestName && text[0] != '.'
        && text.All(one => char.IsAsciiLetterOrDigit(one) || one is '.' or '-' or '_');
}

/// <summary>What the failure of a program before a backup means.</summary>
public enum HookFailure
{
    /// <summary>The run fails, and nothing is backed up.</summary>
    FailRun,
    /// <summary>The backup goes on, and its result says so.</summary>
    Warn,
}
