using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>Everything that a repository holds of one server: base backups and its binary log.</summary>
public sealed class MariaDbRecoverySet
{
    readonly Repository _repository;
    readonly BlobReader _reader;
    readonly TreeBrowser _browser;
    readonly Dictionary<string, (Snapshot Snapshot, MariaDbManifest Manifest)> _bases = [];
    readonly Dictionary<BinlogFile, BinlogExtent> _known = [];
    readonly Dictionary<BinlogFile, (Snapshot Snapshot, long LengthBytes)> _places = [];
    readonly List<(string Id, IReadOnlyList<BinlogExtent> Extents)> _logs = [];
    IReadOnlyList<BinlogTail> _tails = [];

    MariaDbRecoverySet(Repository repository, BlobReader reader, string server)
        => (_repository, _reader, _browser, Server) = (repository, reader, new TreeBrowser(reader), server);

    /// <summary>Which server.</summary>
    public string Server { get; }
    /// <summary>The base backups, oldest first.</summary>
    public IReadOnlyList<BaseBackupOfServer> Bases => [.. _bases.Select(entry => new BaseBackupOfServer(entry.Key,
        entry.Value.Manifest.BinlogFile,
        entry.Value.Manifest.BinlogPosition, entry.Value.Manifest.Gtid, entry.Value.Manifest.StoppedAt)).OrderBy(from => from.StoppedAt)];
    /// <summary>What there is of the log.</summary>
    public IReadOnlyCollection<BinlogExtent> Log => _known.Values;
    /// <summary>The snapshots of the log, oldest first.</summary>
    public IReadOnlyList<(string Id, IReadOnlyList<BinlogExtent> Extents)> Logs => _logs;
    /// <summary>Until when the log is known to be whole; null where no receiver said so.</summary>
    public BinlogSeen? Seen { get; private set; }

    internal (Snapshot Snapshot, MariaDbManifest Manifest) this[string id] => _bases[id];
    internal TreeBrowser Browser => _browser;
    internal BlobReader Reader => _reader;

    /// <summary>Looks through a repository.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="server">Which server; null where there is only one.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="NotFoundException">There is no base backup of it.</exception>
    /// <exception cref="BadInputException">There are several servers and none was named.</exception>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<MariaDbRecoverySet> Load(Repository repository, string? server, CancellationToken ct)
    {
        var snapshots = await repository.Snapshots(SnapshotFilter.All, ct);
        var found = snapshots.Where(snapshot => snapshot.Tags.Contains(MariaDbManifest.BaseTag)).Select(ServerOf).Distinct().ToList();
        if (server is null && found.Count > 1)
            throw new BadInputException("--server", $"The repository holds {found.Count} servers: {string.Join(", ", found)}.",
                "Name one of them with --server.");
        var name = server ?? found.FirstOrDefault();
        if (name is null || !found.Contains(name))
            throw new NotFoundException(name is null ? "A base backup of MariaDB in this repository"
                : $"A base backup of the server {name}",
                "Take one with 'backupdr mariadb backup'.");
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var set = new MariaDbRecoverySet(repository, reader, name);
        foreach (var snapshot in snapshots.Where(snapshot => ServerOf(snapshot) == name))
        {
            if (snapshot.Tags.Contains(MariaDbManifest.BaseTag))
                set._bases[snapshot.Id.ToString()] = (snapshot, await MariaDbManifest.Of(set._browser, reader, snapshot, ct));
            else if (snapshot.Tags.Contains(MariaDbManifest.BinlogTag)) set.Add(snapshot);
        }
        await set.AddTails(ct);
        return set;
    }

    /// <summary>The server whose snapshot it is; "" for none.</summary>
    public static string ServerOf(Snapshot snapshot)
        => snapshot.Paths is [var path, ..] && path.Split('/') is ["", "mariadb", var server, ..] ? server : "";

    void Add(Snapshot snapshot)
    {
        var extents = BinlogTags.Read(snapshot).ToList();
        _logs.Add((snapshot.Id.ToString(), extents));
        foreach (var extent in extents)
        {
            var before = _known.GetValueOrDefault(extent.File);
            if (before is null || extent.LengthBytes >= before.LengthBytes) _places[extent.File] = (snapshot, extent.LengthBytes);
            _known[extent.File] = new BinlogExtent(extent.File, Math.Max(extent.LengthBytes, before?.LengthBytes ?? 0),
                extent.IsWhole || before?.IsWhole == true, extent.FollowsGap || before?.FollowsGap == true);
        }
    }

    async Task AddTails(CancellationToken ct)
    {
        (_tails, Seen) = await new BinlogStore(_repository, Server).List(ct);
        foreach (var file in _tails.Select(tail => tail.File).Distinct())
        {
            var before = _known.GetValueOrDefault(file) ?? new BinlogExtent(file, 0, false, false);
            if (BinlogStore.Reach(file, before.LengthBytes, _tails) is var end and > 0) _known[file] = before with { LengthBytes = end };
        }
    }

    /// <summary>Writes a file of the log, as far as it is known, from the snapshot that has most of it and the pieces behind.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    internal async Task Lay(BinlogExtent extent, string path, CancellationToken ct)
    {
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive,
            Disk.FilePermissions);
        var at = 0L;
        if (_places.TryGetValue(extent.File, out var place))
        {
            var name = FilePath.FromText($"/binlog/{extent.File.Name}");
            if (await _browser.Find(place.Snapshot, name, ct) is not { Type: NodeType.File } node)
                throw RepositoryException.Damaged($"snapshot {place.Snapshot.ShortId}", $"it does not hold {name}.");
            foreach (var id in node.Content)
            {
                var bytes = await _reader.Read(BlobType.Data, id, ct);
                file.WriteAt(at, bytes);
                at += bytes.Length;
            }
        }
        var store = new BinlogStore(_repository, Server);
        foreach (var tail in _tails.Where(tail => tail.File == extent.File && tail.To > at))
        {
            if (tail.From > at) break;
            if (await store.Read(tail, ct) is not { } piece) continue;
            file.WriteAt(tail.From, piece.Span);
            at = tail.To;
        }
        if (at < extent.LengthBytes)
            throw RepositoryException.Damaged("binary log", $"{extent.File.Name} has {at} bytes of {extent.LengthBytes}.");
    }
}
