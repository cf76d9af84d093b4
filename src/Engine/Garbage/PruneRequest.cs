using BackupDr.Engine.Locks;
using BackupDr.Engine.ObjectLocks;

namespace BackupDr.Engine.Garbage;

/// <summary>What a prune may do.</summary>
public sealed record PruneRequest
{
    /// <summary>Share that may stay unused, in percent from 0 to below 100; more makes fewer packs be rewritten.</summary>
    public double MaximumUnusedPercent { get; init; } = 5;
    /// <summary>Bytes that may stay unused; wins over the percentage. <see cref="long.MaxValue"/> rewrites nothing for that.</summary>
    public long? MaximumUnusedBytes { get; init; }
    /// <summary>Most bytes of packs to rewrite in this run; null is no limit.</summary>
    public long? MaximumRepackBytes { get; init; }
    /// <summary>Most packs to rewrite in this run; null is no limit.</summary>
    public int? MaximumRepackPacks { get; init; }
    /// <summary>After so long no further pack is rewritten in this run; null is no limit. What was rewritten by then is marked.</summary>
    public TimeSpan? MaximumRepackTime { get; init; }
    /// <summary>Least time between mark and removal. A second belt: what makes a removal safe is that all witnesses are gone.</summary>
    public TimeSpan KeepDelete { get; init; }
    /// <summary>Waits until what was marked can be removed; else the next prune does it.</summary>
    public bool Waits { get; init; }
    /// <summary>Plans only; changes nothing but its own lock.</summary>
    public bool IsDryRun { get; init; }

    internal long AllowedUnused(long usedBytes)
        => MaximumUnusedBytes ?? (long)Math.Min(long.MaxValue / 2, usedBytes * MaximumUnusedPercent / (100 - MaximumUnusedPercent));
}

/// <summary>What there is, and what a prune does about it. Bytes are stored bytes.</summary>
public sealed record PrunePlan
{
    /// <summary>Snapshots that were walked.</summary>
    public int Snapshots { get; init; }
    /// <summary>Packs in the index.</summary>
    public int Packs { get; init; }
    /// <summary>Bytes of blobs that snapshots need.</summary>
    public long UsedBytes { get; init; }
    /// <summary>Bytes of blobs that no snapshot needs, or that are there twice.</summary>
    public long UnusedBytes { get; init; }
    /// <summary>Packs without anything that is needed.</summary>
    public int DeadPacks { get; init; }
    /// <summary>Their bytes.</summary>
    public long DeadBytes { get; init; }
    /// <summary>Packs that no index names: left by interrupted runs, or just being written.</summary>
    public int OrphanPacks { get; init; }
    /// <summary>Their bytes.</summary>
    public long OrphanBytes { get; init; }
    /// <summary>Packs whose needed part is copied into new ones.</summary>
    public int RepackPacks { get; init; }
    /// <summary>Needed bytes that are copied.</summary>
    public long RepackBytes { get; init; }
    /// <summary>Bytes of them that go.</summary>
    public long RepackFreedBytes { get; init; }
    /// <summary>Packs with unused bytes that stay as they are, because they lie in an archive or the days that their class charges at
    /// least are not over.</summary>
    public int ColdPacks { get; init; }
    /// <summary>Packs to be removed of which such days are left.</summary>
    public int EarlyPacks { get; init; }
    /// <summary>Their bytes.</summary>
    public long EarlyBytes { get; init; }
    /// <summary>Roughly what the store charges for these days, in US dollars.</summary>
    public double EarlyCost { get; init; }
    /// <summary>Packs that earlier prunes marked and that are still there.</summary>
    public int MarkedPacks { get; init; }
    /// <summary>Their bytes.</summary>
    public long MarkedBytes { get; init; }

    /// <summary>Bytes that come back once everything marked is removed.</summary>
    public long FreedBytes => DeadBytes + OrphanBytes + RepackFreedBytes + MarkedBytes;
    /// <summary>Unused bytes that stay inside of packs.</summary>
    public long LeftUnusedBytes => UnusedBytes - DeadBytes - RepackFreedBytes;
}

/// <summary>What a prune did.</summary>
public sealed record PruneReport
{
    /// <summary>What was planned.</summary>
    public required PrunePlan Plan { get; init; }
    /// <summary>Packs removed.</summary>
    public int RemovedPacks { get; init; }
    /// <summary>Bytes of packs removed.</summary>
    public long RemovedBytes { get; init; }
    /// <summary>Packs whose needed part was copied into new ones.</summary>
    public int RepackedPacks { get; init; }
    /// <summary>Whether a limit of the request left packs that would be worth rewriting.</summary>
    public bool IsCut { get; init; }
    /// <summary>Marked packs that are there still.</summary>
    public int WaitingPacks { get; init; }
    /// <summary>Marked packs that a snapshot needs again, and that stay.</summary>
    public int RescuedPacks { get; init; }
    /// <summary>Who is waited for before the rest is removed; a run of prune after they are gone removes it.</summary>
    public IReadOnlyList<LockIdentity> WaitsFor { get; init; } = [];
    /// <summary>When the youngest mark is old enough; null where only <see cref="WaitsFor"/> counts.</summary>
    public DateTimeOffset? NotBefore { get; init; }
    /// <summary>Objects whose retention was extended because a snapshot needs them.</summary>
    public int ExtendedLocks { get; init; }
    /// <summary>What nothing needs any more and the store keeps all the same: packs, and versions of what was deleted.</summary>
    public LockedSpace Locked { get; init; } = new();
    /// <summary>Bytes of versions of what was deleted earlier, whose retention is over: removed, or in a dry run to be removed.</summary>
    public long HiddenBytes { get; init; }
}

/// <summary>How far a prune is.</summary>
/// <param name="Step">What it does.</param>
/// <param name="Done">Packs or snapshots done.</param>
/// <param name="Total">Of how many.</param>
public readonly record struct PruneProgress(string Step, long Done, long Total);
