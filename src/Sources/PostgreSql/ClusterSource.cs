using System.Buffers.Binary;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>A running cluster as something to back up: its data folder, tablespaces, settings, and the log that makes it
/// consistent.</summary>
/// <remarks>
/// The snapshot's tree: <c>/data</c> is the data folder with the label in it, <c>/tablespaces/OID</c> what pg_tblspc links to,
/// <c>/config</c> settings that lie outside, <c>/.backupdr/manifest.json</c> what the backup says of itself. The control file is read
/// last; label, map and the log of the backup's time come into being when the stop call has answered.
/// </remarks>
sealed class ClusterSource : IClosingSource
{
    static readonly string[] ConfigFiles = ["config_file", "hba_file", "ident_file"];
    static readonly TimeSpan ClockTick = TimeSpan.FromSeconds(2);

    readonly ServerAddress _address;
    readonly BackupSession _session;
    readonly ClusterReading _reading;
    readonly ClusterManifest? _before;
    readonly ClusterManifest _begun;
    readonly HashSet<string> _brokenBefore;
    readonly CatalogCounts _counts;
    readonly Dictionary<string, byte[]> _closing = [];
    readonly Node _like;
    List<string> _wal = [];

    public ClusterSource(ServerAddress address, BackupSession session, CatalogCounts counts, ClusterManifest begun, ClusterManifest? before)
    {
        var facts = session.Facts;
        (_address, _session, _counts, _begun, _before) = (address, session, counts, begun, before);
        _reading = new ClusterReading(facts, facts.HasChecksums ? new PageCheck(facts.BlockBytes, facts.BlocksOfSegment, session.Start)
            : null, begun.ChunkBytes, session);
        _brokenBefore = [.. (before?.BrokenPages ?? []).Select(page => page.File)];
        using var data = Descriptor.OpenFolder(FilePath.FromText(facts.DataFolder));
        _like = NodeReader.OfOpen(data, FilePath.FromText("data"));
        Paths = [PathOf(facts.SystemIdentifier)];
    }

    /// <summary>The path that the snapshots of a cluster's base backups name.</summary>
    public static FilePath PathOf(string systemIdentifier) => FilePath.FromText($"/postgresql/{systemIdentifier}");

    public IReadOnlyList<FilePath> Paths { get; }

    /// <summary>What the snapshot says of itself; after <see cref="Close"/>.</summary>
    public ClusterManifest? Manifest { get; private set; }

    public ISourceFolder OpenRoot(ISourceProblems problems) => new MadeFolder(
    [
        MadeEntry.OfFolder(".backupdr", _like, [MadeEntry.OfClosing("manifest.json", _like)]),
        MadeEntry.OfFolder("config", _like, Config()),
        new MadeEntry(_like, OpenData, null),
        MadeEntry.OfFolder("tablespaces", _like, [.. _reading.Facts.Tablespaces.Select(Tablespace)]),
    ]);

    ISourceFolder OpenData(ISourceProblems problems)
    {
        var path = _reading.Facts.DataFolder;
        return new DataFolder(new ClusterFolder(OpenDisk(path), "", path, _reading), _like);
    }

    static DiskFolder OpenDisk(string path)
    {
        var opened = Descriptor.OpenFolder(FilePath.FromText(path));
        return new DiskFolder(opened, FilePath.FromText(path), opened.Stat().DeviceId, SourceRules.None);
    }

    // Only the folder of this version belongs to the cluster: an upgrade may have left another one beside it.
    MadeEntry Tablespace(TablespaceEntry space)
    {
        var name = space.Oid.ToString(CultureInfo.InvariantCulture);
        var path = Path.Combine(space.Path, _reading.Facts.VersionFolder);
        using var opened = Descriptor.OpenFolder(FilePath.FromText(path));
        var node = NodeReader.OfOpen(opened, FilePath.FromText(_reading.Facts.VersionFolder));
        return MadeEntry.OfFolder(name, _like,
        [
            new MadeEntry(node, _ => new ClusterFolder(OpenDisk(path), _reading.Facts.VersionFolder, path, _reading), null),
        ]);
    }

    // Debian keeps the settings in /etc.
    List<MadeEntry> Config()
    {
        var entries = new List<MadeEntry>();
        foreach (var path in ConfigFiles.Select(_reading.Facts.Setting).Where(IsOutside).Distinct())
        {
            var (above, name) = (FilePath.FromText(Path.GetDirectoryName(path)!), FilePath.FromText(Path.GetFileName(path)));
            using var folder = Descriptor.OpenFolder(above);
            if (folder.TryStatAt(name.Bytes, follow: false, out var status) != Errno.None || status.Kind != FileKind.File) continue;
            var node = NodeReader.OfEntry(folder, name, in status);
            entries.Add(new MadeEntry(node, null, problems =>
            {
                using var opened = Descriptor.OpenFolder(above);
                return DiskFile.Open(opened, above, node, problems);
            }));
        }
        var more = Path.Combine(Path.GetDirectoryName(_reading.Facts.Setting("config_file")) ?? "/", "conf.d");
        if (IsOutside(more) && Disk.Exists(more))
        {
            using var opened = Descriptor.OpenFolder(FilePath.FromText(more));
            entries.Add(new MadeEntry(NodeReader.OfOpen(opened, FilePath.FromText("conf.d")), _ => OpenDisk(more), null));
        }
        return entries;
    }

    bool IsOutside(string path) => path.Length > 0 && !path.StartsWith(_reading.Facts.DataFolder + "/", StringComparison.Ordinal);

    // In-place writes within one tick of the clock do not show in the times; and a broken page is to be found again.
    public bool IsSettled(FilePath path, Node file) => _before is not null
        && file.ModifiedAt.ToDateTimeOffset() < _before.ReadFrom - ClockTick
        && !_brokenBefore.Contains(BelowData(path));

    static string BelowData(FilePath path)
    {
        var text = path.ToString();
        return text.StartsWith("/data/", StringComparison.Ordinal) ? text[6..] : text[1..];
    }

    public bool IsClosing(FilePath path) => path.ToString()
        is "/data/pg_wal" or "/data/backup_label" or "/data/tablespace_map" or "/data/global/pg_control" or "/.backupdr/manifest.json";

    public async Task Close(ISourceProblems problems, CancellationToken ct)
    {
        var facts = _reading.Facts;
        _closing["/data/global/pg_control"] = ControlFile.Read(facts.DataFolder);
        var counts = await ClusterFacts.Count(_address, _session.Server, ct);
        var end = await _session.Stop(ct);
        _closing["/data/backup_label"] = System.Text.Encoding.UTF8.GetBytes(Whole(end.Label));
        if (end.TablespaceMap.Length > 0)
            _closing["/data/tablespace_map"] = System.Text.Encoding.UTF8.GetBytes(Whole(end.TablespaceMap));
        _wal = FindLog(end);
        var broken = await NameBroken(problems, ct);
        Manifest = _begun with
        {
            Timeline = end.Timeline,
            StartLsn = StartOf(end.Label).ToString(),
            StopLsn = end.Stop.ToString(),
            StoppedAt = end.StoppedAt,
            PagesChecked = _reading.Pages?.Pages ?? 0,
            BrokenPages = broken,
            Databases = counts.Databases,
            Roles = counts.Roles,
            IsCatalogSettled = counts.IsEqual(_counts),
            Wal = _wal,
        };
        _closing["/.backupdr/manifest.json"] = Manifest.Write();
    }

    static string Whole(string text) => text.EndsWith('\n') ? text : text + "\n";

    /// <summary>Where recovery begins to read: the label's first line.</summary>
    static Lsn StartOf(string label)
    {
        const string words = "START WAL LOCATION: ";
        var line = label.Split('\n')[0];
        return line.StartsWith(words, StringComparison.Ordinal) && Lsn.TryParse(line[words.Length..].Split(' ')[0], out var lsn) ? lsn
            : throw new SourceException("postgres.label", $"The label of the backup begins with '{line}'.",
                "The server's version is not known.");
    }

    /// <summary>The segments from the backup's start to its end, all there, all of this cluster.</summary>
    List<string> FindLog(BackupEnd end)
    {
        var facts = _reading.Facts;
        var folder = Path.Combine(facts.DataFolder, "pg_wal");
        var names = new List<string>();
        var last = WalSegment.Of(end.Timeline, new Lsn(end.Stop.Value - 1), facts.SegmentBytes);
        for (var at = WalSegment.Of(end.Timeline, StartOf(end.Label), facts.SegmentBytes); at.Number <= last.Number; at = at.Next)
        {
            var name = at.Name(facts.SegmentBytes);
            if (!IsOfThisCluster(Path.Combine(folder, name), at.Start(facts.SegmentBytes)))
                throw new SourceException("postgres.log_gone",
                    $"The log segment {name}, which this backup needs, is no longer on the server"
                    + (_session.Unheld is { } why ? $": it could not be held ({why})." : "."),
                    "Give the role the REPLICATION right and a free slot (max_replication_slots), or raise wal_keep_size; check "
                    + "max_slot_wal_keep_size.");
            names.Add(name);
        }
        names.AddRange(Disk.List(folder).Select(entry => entry.Name).Where(name => WalSegment.TryParseHistory(name, out _)).Order());
        return names;
    }

    // The first page of a segment names its position and the cluster; of a file that waits for its next use it names the old ones.
    bool IsOfThisCluster(string path, Lsn start)
    {
        if (!Disk.Exists(path)) return false;
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
        Span<byte> head = stackalloc byte[40];
        return file.FillAt(0, head) == head.Length && BinaryPrimitives.ReadUInt64LittleEndian(head[8..]) == start.Value
            && BinaryPrimitives.ReadUInt64LittleEndian(head[24..]).ToString(CultureInfo.InvariantCulture)
                == _reading.Facts.SystemIdentifier;
    }

    async Task<IReadOnlyList<BrokenPage>> NameBroken(ISourceProblems problems, CancellationToken ct)
    {
        var broken = new List<BrokenPage>();
        foreach (var (file, block) in _reading.Pages?.Broken() ?? [])
        {
            var relation = await RelationNames.Find(_address, _session.Server, file, ct);
            broken.Add(new BrokenPage(file, block, relation));
            problems.Missing(FilePath.FromText(Path.Combine(_reading.Facts.DataFolder, file)),
                $"page {block} of {relation ?? "its relation"} is broken in the cluster itself: its checksum is wrong. It is stored as "
                    + $"it is.");
        }
        return broken;
    }

    public ISourceFile? OpenClosing(FilePath path, ISourceProblems problems)
        => _closing.TryGetValue(path.ToString(), out var bytes)
            ? new MadeFile(MadeNode.File(path.Name.ToString(), _like, bytes.Length), bytes) : null;

    public ISourceFolder OpenClosingFolder(FilePath path, ISourceProblems problems)
    {
        var folder = FilePath.FromText(Path.Combine(_reading.Facts.DataFolder, "pg_wal"));
        var entries = new List<MadeEntry>();
        using var opened = Descriptor.OpenFolder(folder);
        foreach (var name in _wal.Select(FilePath.FromText))
        {
            var node = NodeReader.OfEntry(opened, name, opened.StatAt(name.Bytes));
            entries.Add(new MadeEntry(node, null, told =>
            {
                using var log = Descriptor.OpenFolder(folder);
                return DiskFile.Open(log, folder, node, told) is { } file
                    ? new ClusterFile(file, null, $"pg_wal/{name}", folder.Join(name.Bytes).ToString(), _reading) : null;
            }));
        }
        return new MadeFolder(entries);
    }

    public void Dispose() => GC.SuppressFinalize(this);

    /// <summary>The data folder itself: with places for what is written when the backup ends.</summary>
    sealed class DataFolder(ISourceFolder inner, Node like) : ISourceFolder
    {
        public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct) =>
        [
            .. inner.List(problems, ct).Where(node => node.Name.ToString() != "pg_wal"),   // it may be a link
            MadeNode.Folder("pg_wal", like), MadeNode.File("backup_label", like, 0), MadeNode.File("tablespace_map", like, 0),
        ];

        public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems) => inner.OpenFolder(folder, problems);
        public ISourceFile? OpenFile(Node file, ISourceProblems problems) => inner.OpenFile(file, problems);
        public void Dispose() => inner.Dispose();
    }
}
