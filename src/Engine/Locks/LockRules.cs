using System.Buffers;
using System.Security.Cryptography;
using BackupDr.Engine.Format;

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

/// <summary>Which locks may stand beside which.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-9.1, F-12.3 and F-12.5.</remarks>
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
        };
    }
}
