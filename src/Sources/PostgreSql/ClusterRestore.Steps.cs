using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The steps: the log, what does not belong there, settings.</summary>
public sealed partial class ClusterRestore
{
    const int SegmentsAtOnce = 4;

    readonly HashSet<WalSegment> _laid = [];

    string WalPath => At(WalFolder.Name);

    /// <summary>Lays the log of the best candidate into its folder, and makes the target one that the server can find.</summary>
    async Task<(RecoverableRange, RecoveryTarget)> LayLog(IReadOnlyList<RecoverableRange> candidates, CancellationToken ct)
    {
        if (Disk.Exists(WalPath)) Disk.RemoveTree(WalPath);
        Disk.MakeFolder(WalPath);
        var isSearched = _options.Target.Kind is TargetKind.Name or TargetKind.Transaction;
        foreach (var range in candidates)
        {
            await Lay(range, ct);
            if (Settle(range, ct) is { } target) return (range, target);
            if (!isSearched) break;
        }
        throw new SourceException("postgres.unreachable_target", $"{_options.Target} was not found in the log.",
            "See what can be restored with 'backupdr pg list'.");
    }

    async Task Lay(RecoverableRange range, CancellationToken ct)
    {
        var wanted = range.Segments.Where(segment => !_laid.Contains(segment)
            && (_options.Target.Kind != TargetKind.EndOfBackup || segment.Start(_set.Log.SegmentBytes) < range.Base.Stop)
            && (_options.Target.Kind != TargetKind.Position || segment.Start(_set.Log.SegmentBytes) <= _options.Target.Position)).ToList();
        await Parallel.ForEachAsync(wanted, new ParallelOptions { MaxDegreeOfParallelism = SegmentsAtOnce, CancellationToken = ct },
            async (segment, token) => Disk.Write(Path.Combine(WalPath, segment.Name(_set.Log.SegmentBytes)),
                await _set.Segment(segment, token), null, _options.IsDurable));
        _laid.UnionWith(wanted);
        foreach (var timeline in _set.Log.Timelines.Where(number => number <= range.Timeline || number <= _options.Target.Timeline))
            if (await _set.History(timeline, ct) is { } history)
                Disk.Write(Path.Combine(WalPath, WalSegment.HistoryName(timeline)), history);
    }

    /// <summary>The target as the server is told it; null where the log does not have it.</summary>
    RecoveryTarget? Settle(RecoverableRange range, CancellationToken ct)
    {
        var target = _options.Target;
        if (target.Kind is TargetKind.Latest or TargetKind.EndOfBackup) return target;
        var files = range.Segments.ToDictionary(segment => segment.Number, segment => Path.Combine(WalPath,
            segment.Name(_set.Log.SegmentBytes)));
        var isOnWay = _laid.Select(segment => segment.Number).ToHashSet();
        using var reader = new WalReader(_set.Log.SegmentBytes, lsn
            => lsn.Value / (ulong)_set.Log.SegmentBytes is var number && isOnWay.Contains(number) ? files.GetValueOrDefault(number) : null);
        var marks = reader.Read(range.Base.Start, ct).Where(mark => mark.At >= range.Base.Stop);
        switch (target.Kind)
        {
            case TargetKind.Name:
                return marks.Any(mark => mark.Kind == WalMarkKind.RestorePoint && mark.Name == target.Name) ? target : null;
            case TargetKind.Transaction:
                return marks.Any(mark => mark.Kind != WalMarkKind.RestorePoint && mark.Xid == target.Xid) ? target : null;
            case TargetKind.Position:
                foreach (var _ in marks) ct.ThrowIfCancellationRequested();
                return reader.End > target.Position ? target : EndOfLog(target, reader.End == target.Position, reader.End);
            default:
                foreach (var mark in marks)
                    if (mark.Kind != WalMarkKind.RestorePoint && (mark.Time > target.Time || (!target.IsInclusive
                        && mark.Time == target.Time)))
                        return target;
                return EndOfLog(target, _set.Seen is { } seen && seen.At >= target.Time && seen.Position <= range.End, reader.End);
        }
    }

    /// <summary>Nothing ended after the target. A server that is told to stop there would give up at the end of the log; the state at its
    /// end is the one wanted, if the log is known to be whole up to then.</summary>
    RecoveryTarget EndOfLog(RecoveryTarget target, bool isWhole, Lsn end)
    {
        if (!isWhole)
            throw new SourceException("postgres.unreachable_target", $"{target} lies behind the end of the stored log, {end}"
                + (_set.Seen is { } seen ? $", which was known to be whole at {seen.At:u}." : "."),
                "Choose an earlier moment, or 'latest' for the end of the log.");
        _remarks.Add($"Nothing was committed between the end of the log, {end}, and {target}: recovery goes to its end.");
        return RecoveryTarget.Latest with { Timeline = target.Timeline };
    }

    // What a delta restore must not leave: relations that were dropped since, log of another life.
    async Task RemoveOthers(Snapshot snapshot, CancellationToken ct)
    {
        var kept = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var (path, _) in _set.Browser.Walk(snapshot, Data, ct)) kept.Add(path.ToString());
        RemoveOthers("/data", _options.Folder, kept);
    }

    static void RemoveOthers(string below, string folder, HashSet<string> kept)
    {
        foreach (var (name, kind) in Disk.List(folder))
        {
            if (below == "/data" && name == WalFolder.Name) continue;
            var (path, disk) = ($"{below}/{name}", Path.Combine(folder, name));
            if (!kept.Contains(path) && kind == FileKind.Folder) Disk.RemoveTree(disk);
            else if (!kept.Contains(path)) Disk.Remove(disk);
            else if (kind == FileKind.Folder) RemoveOthers(path, disk, kept);
        }
    }

    void WriteRecovery(Snapshot snapshot, ClusterManifest manifest, byte[] label, List<(uint, string)> spaces, RecoveryTarget target,
        RecoverableRange range)
    {
        if (Disk.TryRead(At("backup_label")) is not { } written || !written.AsSpan().SequenceEqual(label))
            throw new SourceException("postgres.no_label", $"{At("backup_label")} is not what the base backup {snapshot.ShortId} holds.");
        if (spaces.Count > 0) Disk.Write(At("tablespace_map"), Encoding.UTF8.GetBytes(RestoredSettings.Map(spaces)), _owner);
        foreach (var (name, _) in Disk.List(WalPath)) OwnFile(Path.Combine(WalPath, name));
        OwnFolder(WalPath, Disk.FolderPermissions);
        var auto = At("postgresql.auto.conf");
        var before = _options.KeepsSettings ? RestoredSettings.WithoutRecovery(Disk.TryReadText(auto) ?? "") : "";
        if (!_options.KeepsSettings && Disk.TryRead(auto) is { } stored) Disk.Write(auto + ".stored", stored, _owner);
        var recovery = RestoredSettings.Recovery(target, range.Timeline, _options.Action, _options.StandbyOf);
        Disk.Write(auto, Encoding.UTF8.GetBytes(before + recovery), _owner);
        foreach (var kind in (string[])["recovery", "standby"])
            if (Disk.Exists(At(kind + ".signal"))) Disk.Remove(At(kind + ".signal"));
        Disk.Write(At((_options.StandbyOf is null ? "recovery" : "standby") + ".signal"), [], _owner);
        if (_options.Target.Kind == TargetKind.Latest && range.HasGap)
            _remarks.Add($"The stored log has a gap behind {range.End}: what was committed later cannot be reached from this base backup.");
        if (manifest.BrokenPages.Count > 0)
            _remarks.Add($"The base backup holds {manifest.BrokenPages.Count} broken page(s) as the cluster had them, "
                + $"the first in {manifest.BrokenPages[0].Relation ?? manifest.BrokenPages[0].File}.");
    }

    void OwnFile(string path)
    {
        if (!AccountNames.IsRoot) return;
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly | OpenFlags.NoFollow);
        if (file.TrySetOwner(_owner.Uid, _owner.Gid) is not Errno.None and var errno)
            throw new PosixException("chown", FilePath.FromText(path), errno);
    }

    async Task WriteConfig(Snapshot snapshot, ClusterManifest manifest, CancellationToken ct)
    {
        var outside = await Outside(snapshot, ct);
        if (outside.Count > 0)
        {
            var folder = At("backupdr_config");
            Disk.MakeFolder(folder, _owner);
            OwnFolder(folder, Disk.FolderPermissions);
            foreach (var node in outside) Disk.Write(Path.Combine(folder, node.Name.ToString()), await _set.Content(node, ct), _owner);
        }
        if (!_options.KeepsSettings)
        {
            if (Disk.TryRead(At("postgresql.conf")) is { } own) Disk.Write(At("postgresql.conf.stored"), own, _owner);
            var neutral = RestoredSettings.Neutral(manifest.Settings, _options.Port, _options.SocketFolder);
            Disk.Write(At("postgresql.conf"), Encoding.UTF8.GetBytes(neutral), _owner);
        }
        else if (!Disk.Exists(At("postgresql.conf")))
            _remarks.Add("The cluster's settings lie outside of its data folder. They were restored to backupdr_config.");
        foreach (var name in (string[])["pg_hba.conf", "pg_ident.conf"])
        {
            if (Disk.Exists(At(name)) || _options.KeepsSettings) continue;
            var node = outside.FirstOrDefault(node => node.Name.ToString() == name);
            Disk.Write(At(name), node is null ? "local all all peer\n"u8 : (await _set.Content(node, ct)).AsSpan(), _owner);
        }
    }

    async Task<List<Node>> Outside(Snapshot snapshot, CancellationToken ct)
    {
        try
        {
            return [.. (await _set.Browser.List(snapshot, FilePath.FromText("/config"), ct)).Where(node => node.Type == NodeType.File)];
        }
        catch (NotFoundException) { return []; }
    }
}
