using BackupDr.Contracts;

namespace BackupDr.Engine;

/// <summary>The closed set of ways in which a repository can refuse.</summary>
public enum RepositoryFault
{
    /// <summary>There is no repository at this place. CLI exit 10.</summary>
    Missing,
    /// <summary>There is one already.</summary>
    Exists,
    /// <summary>Somebody holds a lock that excludes ours. CLI exit 11.</summary>
    Locked,
    /// <summary>No key file opens with this password. CLI exit 12.</summary>
    WrongPassword,
    /// <summary>Bytes are not what they should be. Never retried, never skipped silently.</summary>
    Damaged,
    /// <summary>A version or parameter that we do not work with.</summary>
    Unsupported,
    /// <summary>It is another repository than the one expected.</summary>
    OtherRepository,
    /// <summary>Our lock was lost, so nothing may be published any more.</summary>
    LockLost,
    /// <summary>There is no such snapshot, or the prefix fits several.</summary>
    NoSuchSnapshot,
    /// <summary>What is to be read lies in an archive, and no thaw was asked for. CLI exit 20.</summary>
    Archived,
    /// <summary>A thaw is under way. CLI exit 20.</summary>
    Thawing,
}

/// <summary>The repository could not do what was asked.</summary>
public sealed class RepositoryException : BackupDrException
{
    /// <param name="fault">Which of the closed set.</param>
    /// <param name="message">What was found, with the object's name.</param>
    /// <param name="hint">What the reader can do next.</param>
    /// <param name="inner">The failure underneath.</param>
    public RepositoryException(RepositoryFault fault, string message, string? hint = null, Exception? inner = null)
        : base(CodeOf(fault), message, hint, transient: false, inner) => Fault = fault;

    /// <summary>Which of the closed set.</summary>
    public RepositoryFault Fault { get; }

    /// <summary>Of Archived and Thawing: what cannot be read yet.</summary>
    public Tiers.ArchivedSpace? Archived { get; init; }

    /// <summary>Damage found in <paramref name="where"/>.</summary>
    public static RepositoryException Damaged(string where, string what)
        => new(RepositoryFault.Damaged, $"{where}: {what}", "Run 'backupdr check --read-data' to see what else is affected.");

    static string CodeOf(RepositoryFault fault) => fault switch
    {
        RepositoryFault.Missing => "repository.missing",
        RepositoryFault.Exists => "repository.exists",
        RepositoryFault.Locked => "repository.locked",
        RepositoryFault.WrongPassword => "repository.wrong_password",
        RepositoryFault.Damaged => "repository.damaged",
        RepositoryFault.Unsupported => "repository.unsupported",
        RepositoryFault.OtherRepository => "repository.other",
        RepositoryFault.LockLost => "repository.lock_lost",
        RepositoryFault.NoSuchSnapshot => "snapshot.not_found",
        RepositoryFault.Archived => "repository.archived",
        RepositoryFault.Thawing => "repository.thawing",
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };
}
