using System.Buffers;
using System.Text.Json;
using BackupDr.Engine.Blobs;
using BackupDr.Storage;

namespace BackupDr.Engine.Replicas;

/// <summary>What was removed from a replicated repository on purpose, so that no other place brings it back.</summary>
/// <remarks>
/// Lists of names in <c>x-backupdr/gone/</c>, sealed, written before the objects go. They can be united without any order: names are
/// hashes of sealed bytes, so a name that went never comes again. A repository that is in one place only has none. Source:
/// docs/format/restic-v2.md, F-13.3.
/// </remarks>
static class Departures
{
    /// <summary>Folder of the lists.</summary>
    public const string Folder = "x-backupdr/gone";
    const int NamesInList = 50_000;

    /// <summary>Notes that these objects are about to be removed; nothing where the repository has one place only.</summary>
    public static async Task Note(Repository repository, IReadOnlyCollection<ObjectName> names, CancellationToken ct)
    {
        if (names.Count == 0 || !await IsReplicated(repository.Store, ct)) return;
        foreach (var part in names.Chunk(NamesInList)) await Write(repository, part, ct);
    }

    /// <summary>Whether the repository has further places.</summary>
    public static async Task<bool> IsReplicated(IObjectStore store, CancellationToken ct)
    {
        await foreach (var _ in store.List(Folder, ct)) return true;
        return false;
    }

    /// <summary>Makes a repository one that notes what goes.</summary>
    public static Task Begin(Repository repository, CancellationToken ct) => Write(repository, [], ct);

    static Task Write(Repository repository, IReadOnlyCollection<ObjectName> names, CancellationToken ct)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", repository.Options.Clock.GetUtcNow());
            json.WriteStartArray("names");
            foreach (var name in names) json.WriteStringValue(name.Value);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return repository.WriteUnpacked(Folder, buffer.WrittenMemory, ct);
    }

    /// <summary>Reads a list.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<IReadOnlyList<ObjectName>> Read(Repository repository, BlobId id, CancellationToken ct)
    {
        var bytes = await repository.ReadUnpacked(Folder, id, ct);
        try
        {
            using var json = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 4 });
            return [.. json.RootElement.GetProperty("names").EnumerateArray().Select(name => new ObjectName(name.GetString()!))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            throw RepositoryException.Damaged($"{Folder}/{id}", $"it is no list of names: {e.Message}");
        }
    }
}
