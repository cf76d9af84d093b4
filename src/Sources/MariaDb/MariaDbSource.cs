using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>A running server as something to back up: what mariadb-backup streams, as the files that it consists of.</summary>
/// <remarks>
/// The snapshot's tree: <c>/data</c> is what mbstream would have laid into a folder, to be prepared there, and
/// <c>/.backupdr/manifest.json</c> what the backup says of itself. There is no copy on the way; where the store is slow, the program
/// waits.
/// </remarks>
sealed class MariaDbSource : IStreamedSource
{
    /// <summary>Chunks of files that are written whole: logs, definitions, text.</summary>
    public const int PlainChunkBytes = 1 << 20;

    const int KeptBytes = 64 << 10;
    const string Success = "completed OK!";

    // Files whose pages or rows are changed in place.
    static readonly string[] PageFiles = [".ibd", ".MAD", ".MAI", ".MYD", ".MYI"];
    // By this name, and since 11.1 by that one.
    static readonly string[] Told = ["xtrabackup_binlog_info", "mariadb_backup_binlog_info", "xtrabackup_info", "mariadb_backup_info",
        "xtrabackup_checkpoints", "mariadb_backup_checkpoints"];

    readonly MariaDbAddress _address;
    readonly MariaDbFacts _facts;
    readonly IReadOnlyList<string> _arguments;
    readonly OptionFile _options;
    readonly Func<StreamedFacts, CancellationToken, Task<MariaDbManifest>> _describe;
    readonly int _chunkBytes;
    readonly Dictionary<string, MemoryStream> _told = [];
    readonly Dictionary<FilePath, IStreamedFile> _open = [];
    readonly HashSet<FilePath> _folders = [];
    readonly Node _like;
    long _bytes;

    /// <param name="address">The server.</param>
    /// <param name="facts">What it said.</param>
    /// <param name="options">How to get in.</param>
    /// <param name="arguments">Arguments of the program beside that.</param>
    /// <param name="chunkBytes">Bytes of the chunks of page files.</param>
    /// <param name="describe">Makes the manifest when all has come.</param>
    public MariaDbSource(MariaDbAddress address, MariaDbFacts facts, OptionFile options, IReadOnlyList<string> arguments, int chunkBytes,
        Func<StreamedFacts, CancellationToken, Task<MariaDbManifest>> describe)
    {
        (_address, _facts, _options, _arguments, _chunkBytes, _describe) = (address, facts, options, arguments, chunkBytes, describe);
        using var data = Descriptor.OpenFolder(FilePath.FromText(facts.DataFolder));
        _like = NodeReader.OfOpen(data, FilePath.FromText("data"));
        Paths = [PathOf(facts.Name)];
    }

    /// <summary>The path that the snapshots of a server's base backups name.</summary>
    public static FilePath PathOf(string server) => FilePath.FromText($"/mariadb/{server}");

    public IReadOnlyList<FilePath> Paths { get; }

    /// <summary>What the snapshot says of itself; when it was streamed.</summary>
    public MariaDbManifest? Manifest { get; private set; }

    public async Task Stream(IStreamTarget target, ISourceProblems problems, CancellationToken ct)
    {
        target.AddFolder(FilePath.FromText("/.backupdr"), MadeNode.Folder(".backupdr", _like));
        target.AddFolder(FilePath.FromText("/data"), _like);
        await using var tool = ToolProcess.Start(MariaDbTools.Find(MariaDbTools.Backup, _address.Programs), _arguments, isGuarded: true,
            pipes: ToolPipes.Output);
        SourceException? broken = null;
        try { await Read(tool.Output, target, ct); }
        catch (SourceException e)
        {
            broken = e;
            tool.Output.Close();   // it may go on writing, and would wait for us
        }
        var exitCode = await tool.End(ct);
        if (exitCode != 0) throw Failed(exitCode, tool.Lines);
        if (broken is not null) throw broken;
        if (tool.Lines.Count == 0 || !tool.Lines[^1].EndsWith(Success, StringComparison.Ordinal)) throw Failed(exitCode, tool.Lines);
        if (_open.Count > 0) throw NotWhole($"{_open.Keys.First()} has no end");
        var facts = new StreamedFacts(Said("info") ?? throw NotWhole("the file xtrabackup_info is missing"),
            Said("checkpoints") ?? throw NotWhole("the file xtrabackup_checkpoints is missing"), Said("binlog_info"), _bytes);
        if (facts.BinlogInfo is null && _facts.HasBinlog) throw NotWhole("the file xtrabackup_binlog_info is missing");
        Manifest = await _describe(facts, ct);
        var written = Manifest.Write();
        var manifest = target.Begin(FilePath.FromText(MariaDbManifest.Place), PlainChunkBytes);
        await manifest.Append(written, ct);
        await manifest.End(MadeNode.File("manifest.json", _like, written.Length), ct);
    }

    string? Said(string end) => Told.Where(name => name.EndsWith("_" + end, StringComparison.Ordinal) && (end != "info"
        || !name.EndsWith("_binlog_info", StringComparison.Ordinal))).Select(name => _told.TryGetValue(name, out var bytes)
        ? Encoding.UTF8.GetString(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)) : null).FirstOrDefault(text => text is not null);

    async Task Read(Stream output, IStreamTarget target, CancellationToken ct)
    {
        var reader = new MbStreamReader(output);
        while (await reader.Next(ct) is { } chunk)
        {
            var path = FilePath.FromText("/data").Join(chunk.Path.Bytes);
            switch (chunk.Kind)
            {
                case MbChunkKind.Payload:
                    await Take(reader, chunk, Of(chunk, path, target), ct);
                    break;
                case MbChunkKind.Seek:
                    var file = Of(chunk, path, target);
                    if (chunk.Offset < file.LengthBytes) throw NotWhole($"{chunk.Path} goes back to {chunk.Offset}");
                    await file.AppendZeros(chunk.Offset - file.LengthBytes, ct);
                    break;
                case MbChunkKind.End:
                    var ended = Of(chunk, path, target);   // a file without a byte has nothing but an end
                    _bytes += ended.LengthBytes;
                    await ended.End(NodeOf(chunk.Path, ended.LengthBytes), ct);
                    _open.Remove(chunk.Path);
                    break;
                case MbChunkKind.Rename:
                    AddFolders(chunk.NewPath, target);
                    if (!target.Rename(path, FilePath.FromText("/data").Join(chunk.NewPath.Bytes)))
                        throw NotWhole($"{chunk.Path} is renamed before it came");
                    break;
                case MbChunkKind.Remove:
                    target.Remove(path);
                    break;
            }
        }
    }

    IStreamedFile Of(MbChunk chunk, FilePath path, IStreamTarget target)
    {
        if (_open.TryGetValue(chunk.Path, out var file)) return file;
        AddFolders(chunk.Path, target);
        var name = chunk.Path.ToString();
        if (Told.Contains(name)) _told[name] = new MemoryStream();
        return _open[chunk.Path] = target.Begin(path, IsPageFile(name) ? _chunkBytes : PlainChunkBytes);
    }

    async Task Take(MbStreamReader reader, MbChunk chunk, IStreamedFile file, CancellationToken ct)
    {
        if (chunk.Offset != file.LengthBytes) throw NotWhole($"{chunk.Path} goes on at {chunk.Offset} instead of {file.LengthBytes}");
        var told = _told.GetValueOrDefault(chunk.Path.ToString());
        while (await reader.Payload(ct) is { IsEmpty: false } piece)
        {
            if (told is not null && told.Length < KeptBytes) told.Write(piece.Span);
            await file.Append(piece, ct);
        }
    }

    static bool IsPageFile(string path)
    {
        var name = path[(path.LastIndexOf('/') + 1)..];
        return PageFiles.Any(end => name.EndsWith(end, StringComparison.Ordinal)) || name.StartsWith("ibdata", StringComparison.Ordinal)
            || name.StartsWith("undo", StringComparison.Ordinal);
    }

    void AddFolders(FilePath path, IStreamTarget target)
    {
        var parts = path.Parts();
        for (var count = 1; count < parts.Count; count++)
        {
            var below = Joined(parts, count);
            if (!_folders.Add(below)) continue;
            target.AddFolder(FilePath.FromText("/data").Join(below.Bytes), OnDisk(below) is { Type: NodeType.Dir } node ? node
                : MadeNode.Folder(parts[count - 1].ToString(), _like));
        }
    }

    static FilePath Joined(IReadOnlyList<FilePath> parts, int count)
    {
        var path = parts[0];
        for (var at = 1; at < count; at++) path = path.Join(parts[at].Bytes);
        return path;
    }

    Node NodeOf(FilePath path, long sizeBytes)
    {
        var made = MadeNode.File(path.Parts()[^1].ToString(), _like, sizeBytes);
        return OnDisk(path) is { Type: NodeType.File } node ? node with { Links = 1 } : made;
    }

    /// <summary>The entry in the server's data folder, whose times and rights are worth keeping; null where there is none of that name.
    /// </summary>
    Node? OnDisk(FilePath path)
    {
        try
        {
            var parts = path.Parts();
            var above = parts.Count == 1 ? FilePath.FromText(_facts.DataFolder)
                : FilePath.FromText(_facts.DataFolder).Join(Joined(parts, parts.Count - 1).Bytes);
            using var folder = Descriptor.OpenFolder(above);
            return folder.TryStatAt(parts[^1].Bytes, follow: false, out var status) == Errno.None
                ? NodeReader.OfEntry(folder, parts[^1], in status) : null;
        }
        catch (PosixException) { return null; }   // dropped meanwhile
    }

    static SourceException NotWhole(string what) => new("mariadb.stream", $"The stream of mariadb-backup is not whole: {what}.",
        "Nothing was published. Run the backup again.");

    BackupDrException Failed(int exitCode, IReadOnlyList<string> lines)
    {
        if (lines.LastOrDefault(line => line.Contains("missing required privilege", StringComparison.OrdinalIgnoreCase)) is { } right)
            return new DeniedException($"{_address} may not do that: {Words(right)}",
                "Run 'backupdr mariadb preflight': it shows the statement that grants it.");
        if (lines.LastOrDefault(line => line.Contains("Failed to connect", StringComparison.Ordinal)) is { } stranger)
            return MariaDbClient.Explain(_address.ToString(), [stranger]);
        var said = lines.LastOrDefault(line => line.Contains("rror", StringComparison.Ordinal)) ?? ToolProcess.LastOf(lines);
        return new SourceException("mariadb.backup_failed", $"mariadb-backup ended with {exitCode}: {Words(said)}",
            "Nothing was published. A change of a table's definition while it runs can be the cause: run it again.");
    }

    // "[00] 2026-11-22 03:34:20 words"
    static string Words(string line) => line.StartsWith('[') && line.Length > 25 ? line[25..].Trim() : line.Trim();

    public void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>What a stream said of itself, file by file.</summary>
/// <param name="Info">xtrabackup_info.</param>
/// <param name="Checkpoints">xtrabackup_checkpoints.</param>
/// <param name="BinlogInfo">xtrabackup_binlog_info: file, position and transactions; null without a binary log.</param>
/// <param name="Bytes">Bytes of all files.</param>
sealed record StreamedFacts(string Info, string Checkpoints, string? BinlogInfo, long Bytes)
{
    /// <summary>A line of the checkpoints: "last_lsn = 1231571".</summary>
    public string Checkpoint(string name) => Checkpoints.Split('\n').Select(line => line.Split('=', 2, StringSplitOptions.TrimEntries))
        .Where(pair => pair.Length == 2 && pair[0] == name).Select(pair => pair[1]).FirstOrDefault("");
}
