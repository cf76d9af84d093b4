namespace BackupDr.Contracts.Api;

/// <summary>PUT hosts/{id}/backups-at-once: how many backups may be under way at once on a host.</summary>
/// <param name="Id">The host, from the path.</param>
/// <param name="Count">1 or 2; null for 2, which is all that an agent takes.</param>
public sealed record SetHostBackupsAtOnceRequest(HostId Id = default, int? Count = null)
{
    /// <summary>Most.</summary>
    public const int Most = 2;
}

/// <summary>PUT locations/{id}/backups-at-once: how many backups of all hosts may write into a location at once.</summary>
/// <param name="Id">The location, from the path.</param>
/// <param name="Count">1 to <see cref="Most"/>; null for any number.</param>
public sealed record SetLocationBackupsAtOnceRequest(LocationId Id = default, int? Count = null)
{
    /// <summary>Most.</summary>
    public const int Most = 1000;
}
