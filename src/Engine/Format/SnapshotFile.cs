using System.Text.Json;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>A moment of some paths of a host: restic's snapshot.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.1.</remarks>
public sealed record Snapshot
{
    /// <summary>Name of the stored object; default where it was not stored yet.</summary>
    public BlobId Id { get; init; }
    /// <summary>The moment, as the writer's clock told it.</summary>
    public required UnixTime Time { get; init; }
    /// <summary>Snapshot that it was based on.</summary>
    public BlobId? Parent { get; init; }
    /// <summary>Root tree.</summary>
    public required BlobId Tree { get; init; }
    /// <summary>Absolute targets.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];
    /// <summary>Host.</summary>
    public string HostName { get; init; } = "";
    /// <summary>User.</summary>
    public string UserName { get; init; } = "";
    /// <summary>The user's number; 0 for root.</summary>
    public uint Uid { get; init; }
    /// <summary>The user's group; 0 for root.</summary>
    public uint Gid { get; init; }
    /// <summary>Patterns that were left out.</summary>
    public IReadOnlyList<string> Excludes { get; init; } = [];
    /// <summary>Tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Id before the first change of tags.</summary>
    public BlobId? Original { get; init; }
    /// <summary>Writing program.</summary>
    public string ProgramVersion { get; init; } = "";
    /// <summary>Raw JSON of the numbers, or null.</summary>
    public byte[]? Summary { get; init; }
    /// <summary>Members that we do not know, with their raw JSON: they stay when the snapshot is written anew.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Others { get; init; } = [];

    /// <summary>The first eight characters of the id, as people quote it.</summary>
    public string ShortId => Id.ToString()[..8];

    /// <summary>Files, plain bytes and bytes that the repository grew by, as the writer counted them; null where it did not, as restic
    /// before 0.17.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public (long? Files, long? Bytes, long? BytesAdded) Numbers()
    {
        (long? Files, long? Bytes, long? BytesAdded) numbers = default;
        if (Summary is null) return numbers;
        var input = new JsonInput(Summary, $"snapshot {Id}");
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("total_files_processed"u8)) numbers.Files = (long)Math.Min(input.Unsigned(), long.MaxValue);
            else if (member.SequenceEqual("total_bytes_processed"u8)) numbers.Bytes = (long)Math.Min(input.Unsigned(), long.MaxValue);
            else if (member.SequenceEqual("data_added_packed"u8)) numbers.BytesAdded = (long)Math.Min(input.Unsigned(), long.MaxValue);
            else input.Skip();
        }
        return numbers;
    }
}

/// <summary>Numbers of a backup that are kept in its snapshot.</summary>
/// <param name="Start">Begin.</param>
/// <param name="End">End.</param>
/// <param name="FilesNew">Files that the parent did not have.</param>
/// <param name="FilesChanged">Files that differ from the parent.</param>
/// <param name="FilesUnmodified">Files that were not read.</param>
/// <param name="DirsNew">Folders that the parent did not have.</param>
/// <param name="DirsChanged">Folders that differ.</param>
/// <param name="DirsUnmodified">Folders that are equal.</param>
/// <param name="DataBlobs">New data blobs.</param>
/// <param name="TreeBlobs">New tree blobs.</param>
/// <param name="DataAdded">Plain bytes of new blobs.</param>
/// <param name="DataAddedPacked">Stored bytes of new blobs.</param>
/// <param name="TotalFiles">Files in the snapshot.</param>
/// <param name="TotalBytes">Plain bytes in the snapshot.</param>
public sealed record SnapshotSummary(UnixTime Start, UnixTime End, long FilesNew, long FilesChanged, long FilesUnmodified, long DirsNew,
    long DirsChanged,
    long DirsUnmodified, long DataBlobs, long TreeBlobs, long DataAdded, long DataAddedPacked, long TotalFiles, long TotalBytes)
{
    /// <summary>The JSON of it.</summary>
    public byte[] Write()
        => new GoJson().Open('{').Name("backup_start"u8).Text(GoTime.Format(Start)).Name("backup_end"u8).Text(GoTime.Format(End))
        .Name("files_new"u8).Number(FilesNew).Name("files_changed"u8).Number(FilesChanged).Name("files_unmodified"u8)
        .Number(FilesUnmodified)
        .Name("dirs_new"u8).Number(DirsNew).Name("dirs_changed"u8).Number(DirsChanged).Name("dirs_unmodified"u8).Number(DirsUnmodified)
        .Name("data_blobs"u8).Number(DataBlobs).Name("tree_blobs"u8).Number(TreeBlobs).Name("data_added"u8).Number(DataAdded)
        .Name("data_added_packed"u8).Number(DataAddedPacked).Name("total_files_processed"u8).Number(TotalFiles)
        .Name("total_bytes_processed"u8).Number(TotalBytes).Close('}').Written.ToArray();
}

/// <summary>Reads and writes the JSON of a snapshot.</summary>
public static class SnapshotFile
{
    /// <summary>The JSON, without the id.</summary>
    public static byte[] Write(Snapshot snapshot)
    {
        var json = new GoJson().Open('{').Name("time"u8).Text(GoTime.Format(snapshot.Time));
        if (snapshot.Parent is { } parent) json.Name("parent"u8).Id(parent);
        json.Name("tree"u8).Id(snapshot.Tree);
        List(json, "paths"u8, snapshot.Paths, always: true);
        if (snapshot.HostName.Length > 0) json.Name("hostname"u8).Text(snapshot.HostName);
        if (snapshot.UserName.Length > 0) json.Name("username"u8).Text(snapshot.UserName);
        if (snapshot.Uid != 0) json.Name("uid"u8).Number((ulong)snapshot.Uid);
        if (snapshot.Gid != 0) json.Name("gid"u8).Number((ulong)snapshot.Gid);
        List(json, "excludes"u8, snapshot.Excludes, always: false);
        List(json, "tags"u8, snapshot.Tags, always: false);
        if (snapshot.Original is { } original) json.Name("original"u8).Id(original);
        if (snapshot.ProgramVersion.Length > 0) json.Name("program_version"u8).Text(snapshot.ProgramVersion);
        if (snapshot.Summary is { } summary) json.Name("summary"u8).Verbatim(summary);
        foreach (var (name, value) in snapshot.Others) json.AnyName(name).Verbatim(value);
        return json.Close('}').Written.ToArray();
    }

    static void List(GoJson json, ReadOnlySpan<byte> name, IReadOnlyList<string> texts, bool always)
    {
        if (texts.Count == 0 && !always) return;
        json.Name(name).Open('[');
        foreach (var text in texts) json.Text(text);
        json.Close(']');
    }

    /// <summary>Reads the JSON of the snapshot object named <paramref name="id"/>.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static Snapshot Read(ReadOnlySpan<byte> json, BlobId id)
    {
        var input = new JsonInput(json, $"snapshot {id}");
        UnixTime? time = null;
        BlobId? tree = null;
        var others = new List<KeyValuePair<string, byte[]>>();
        var snapshot = new Snapshot { Id = id, Time = default, Tree = default };
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("time"u8)) time = input.Time();
            else if (member.SequenceEqual("tree"u8)) tree = input.IsNull ? null : input.Id();
            else if (member.SequenceEqual("parent"u8)) snapshot = snapshot with { Parent = input.IsNull ? null : input.Id() };
            else if (member.SequenceEqual("original"u8)) snapshot = snapshot with { Original = input.IsNull ? null : input.Id() };
            else if (member.SequenceEqual("paths"u8)) snapshot = snapshot with { Paths = input.Texts() };
            else if (member.SequenceEqual("hostname"u8)) snapshot = snapshot with { HostName = input.Text() };
            else if (member.SequenceEqual("username"u8)) snapshot = snapshot with { UserName = input.Text() };
            else if (member.SequenceEqual("uid"u8)) snapshot = snapshot with { Uid = input.Unsigned32() };
            else if (member.SequenceEqual("gid"u8)) snapshot = snapshot with { Gid = input.Unsigned32() };
            else if (member.SequenceEqual("excludes"u8)) snapshot = snapshot with { Excludes = input.Texts() };
            else if (member.SequenceEqual("tags"u8)) snapshot = snapshot with { Tags = input.Texts() };
            else if (member.SequenceEqual("program_version"u8)) snapshot = snapshot with { ProgramVersion = input.Text() };
            else if (member.SequenceEqual("summary"u8)) snapshot = snapshot with { Summary = input.IsNull ? null : input.Raw(json) };
            else others.Add(new(System.Text.Encoding.UTF8.GetString(member), input.Raw(json)));
        }
        if (time is null || tree is null) throw input.Bad("a snapshot without time or tree");
        return snapshot with { Time = time.Value, Tree = tree.Value, Others = others };
    }
}
