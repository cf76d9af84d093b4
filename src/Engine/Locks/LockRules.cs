using System.Buffers;
using System.Security.Cryptography;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Locks;

/// <summary>What a lock is taken for.</summary>
public enum LockKind
{
    /// <summary>Reading, and adding objects: with others of its kind.</summary>
    Shared,
    /// <summary>Nobody else, as restic understands it.</summary>
    Exclusive,
    /// <summary>Shared, but only one at a time: a prune or a repair.</summary>
    Upkeep,
    /// <summary>Removing packs: excludes every stock restic, and lets our own go on.</summary>
    Sweep,
}

/// <summary>Who holds a lock. It stays the same while the lock is refreshed.</summary>
/// <param name="HostName">Host.</param>
/// <param name="UserName">User; unique for each of our locks.</param>
/// <param name="Pid">Process.</param>
public readonly record struct LockIdentity(string HostName, string UserName, int Pid)
{
    /// <summary>The owner of a lock.</summary>
    public static LockIdentity Of(LockFile held) => new(held.HostName, held.UserName, held.Pid);

    /// <inheritdoc/>
    public override string ToString() => $"{UserName} on {HostName} (process {Pid})";
}

/// <summary>A lock that was removed because its process is provably gone.</summary>
/// <param name="Holder">User that the process worked for.</param>
/// <param name="HostName">Host; our own.</param>
/// <param name="Pid">Number that the process had.</param>
/// <param name="RefreshedAt">When it last wrote the lock.</param>
public sealed record RemovedLock(string Holder, string HostName, int Pid, DateTimeOffset RefreshedAt)
{
    /// <inheritdoc/>
    public override string ToString()
        => $"Removed the lock that {Holder} on {HostName} (process {Pid}) last refreshed at {RefreshedAt:u}: that process is gone.";
}

/// <summary>Which locks may stand beside which, and which are of the dead.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-9.1, F-9.5, F-12.3 and F-12.5.</remarks>
static class LockRules
{
    const string OursBeginWith = "backupdr-", UpkeepBeginsWith = "backupdr-prune-", SweepIs = "backupdr-gc";
    static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");
    const int UniqueLength = 16;   // hexadecimal digits

    public static bool IsOurs(LockFile held) => held.UserName.StartsWith(OursBeginWith, StringComparison.Ordinal);

    static bool IsSweep(LockFile held) => held.IsExclusive && held.UserName == SweepIs;

    /// <summary>The user behind a lock, as a person would name them: without the marks that make each of our locks unique.</summary>
    public static string Holder(LockFile held)
    {
        var name = held.UserName;
        foreach (var mark in (ReadOnlySpan<string>)[UpkeepBeginsWith, OursBeginWith])
        {
            if (name.Length <= mark.Length + 1 + UniqueLength || !name.StartsWith(mark, StringComparison.Ordinal)) continue;
            var end = name.Length - UniqueLength - 1;
            if (name[end] != '-' || name.AsSpan(end + 1).ContainsAnyExcept(HexDigits)) continue;
            return name[mark.Length..end];
        }
        return name;
    }

    static bool IsUpkeep(LockFile held) => held.UserName.StartsWith(UpkeepBeginsWith, StringComparison.Ordinal);

    /// <summary>Whether a lock that we want cannot stand beside one that is there.</summary>
    public static bool Conflict(LockFile wanted, LockFile other)
    {
        if (IsSweep(wanted)) return !IsOurs(other) || other.IsExclusive;
        if (wanted.IsExclusive) return true;
        // A sweep removes nothing that a run needs which began after its marks: ours go on.
        if (IsSweep(other)) return false;
        return other.IsExclusive || (IsUpkeep(wanted) && IsUpkeep(other));
    }

    /// <summary>Whether a lock's process is provably gone. A lock of another program, host, kernel or namespace never is.</summary>
    public static bool IsOfTheDead(LockFile held, RepositoryOptions options)
        => held.Birth is { } birth && held.HostName == options.HostName && birth.FateOf(held.Pid) switch
        {
            ProcessFate.Dead => true,
            // A clone of this machine has its id, too. But a living one would have refreshed its lock, or stopped by itself.
            ProcessFate.OfEarlierBoot => Age(held, options) > RepositoryLock.StaleAge,
            _ => false,
        };

    /// <summary>Whether a person may have a lock removed: what restic says, unless the lock itself knows better.</summary>
    public static bool IsStale(LockFile held, RepositoryOptions options, Func<int, bool> isRunning)
    {
        if (Age(held, options) > RepositoryLock.StaleAge) return true;
        if (held.HostName != options.HostName) return false;
        return held.Birth is { } birth ? birth.FateOf(held.Pid) is ProcessFate.Dead or ProcessFate.OfEarlierBoot : !isRunning(held.Pid);
    }

    /// <summary>How long a lock has not been refreshed, by our clock and its writer's.</summary>
    public static TimeSpan Age(LockFile held, RepositoryOptions options) => options.Clock.GetUtcNow() - held.Time.ToDateTimeOffset();

    /// <summary>
    /// A new lock. The user name is unique, so that a process which lives for months is no witness for ever; an agent's has the run.
    /// </summary>
    public static LockFile Identity(LockKind kind, RepositoryOptions options)
    {
        var one = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(UniqueLength / 2));
        return new LockFile
        {
            Time = UnixTime.From(options.Clock.GetUtcNow()),
            IsExclusive = kind is LockKind.Exclusive or LockKind.Sweep,
            HostName = options.HostName,
            UserName = kind switch
            {
                LockKind.Sweep => SweepIs,
                LockKind.Upkeep => $"{UpkeepBeginsWith}{options.UserName}-{one}",
                _ when options.UserName.StartsWith(OursBeginWith, StringComparison.Ordinal) => options.UserName,
                _ => $"{OursBeginWith}{options.UserName}-{one}",
            },
            Pid = Environment.ProcessId,
            Birth = ProcessBirth.Self,
        };
    }
}
