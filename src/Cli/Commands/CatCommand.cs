using System.CommandLine;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr cat KIND [ID]</c>.</summary>
static class CatCommand
{
    static readonly JsonWriterOptions Indented = new()
    {
        Indented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Make()
    {
        var kind = new Argument<string>("KIND") { Description = "config, snapshot, index, key, lock, pack, blob or tree." };
        var id = new Argument<string?>("ID")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "The beginning of an id; for a tree also SNAPSHOT:PATH. None for the config.",
        };
        var command = new Command("cat", "Write one object of a repository to standard output, opened and checked.") { kind, id };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var wanted = given.GetValue(kind)!;
            if (wanted is not ("config" or "blob" or "tree")) ListCommand.Folder(wanted);
            var name = given.GetValue(id) ?? (wanted == "config" ? ""
                : throw new BadInputException("id", $"Which {wanted}? No id was given.", "Write the beginning of its id."));
            using var opened = await repository.Open(given, ct);
            switch (wanted)
            {
                case "config": Json(await RepositoryObjects.ReadConfig(opened, ct)); break;
                case "blob" or "tree": await Blob(opened, wanted, name, which, given, ct); break;
                case "pack" or "packs": await Pack(opened, name, ct); break;
                default: await Object(opened, ListCommand.Folder(wanted), name, ct); break;
            }
            return ExitCodes.Done;
        });
        return command;
    }

    static async Task Object(Repository repository, string folder, string name, CancellationToken ct)
        => Json(await RepositoryObjects.ReadJson(repository, folder, await RepositoryObjects.Find(repository, folder, name, ct), ct));

    static async Task Pack(Repository repository, string name, CancellationToken ct)
    {
        var id = await RepositoryObjects.Find(repository, ObjectLayout.Data, name, ct);
        var bytes = await RepositoryObjects.ReadStored(repository, ObjectLayout.Of(ObjectLayout.Data, id), ct);
        if (new BlobId(System.Security.Cryptography.SHA256.HashData(bytes)) != id)
            throw RepositoryException.Damaged($"pack {id}", "its bytes do not match its name.");
        Raw(bytes);
    }

    static async Task Blob(Repository repository, string kind, string name, SnapshotArguments which, ParseResult given,
        CancellationToken ct)
    {
        if (kind == "tree" && name.Contains(':', StringComparison.Ordinal))
        {
            var (snapshot, path) = await which.Find(repository, name, given, ct);
            var reader = new BlobReader(repository, await repository.LoadIndex(ct));
            Raw(await reader.Read(BlobType.Tree, await new TreeBrowser(reader).FolderTree(snapshot, path, ct), ct));
            return;
        }
        var fitting = new HashSet<(BlobType Type, BlobId Id)>();
        await foreach (var pack in RepositoryObjects.Packs(repository, ct))
            foreach (var blob in pack.Blobs)
                if (blob.Id.ToString().StartsWith(name, StringComparison.Ordinal) && (kind == "blob" || blob.Type == BlobType.Tree))
                    fitting.Add((blob.Type, blob.Id));
        if (fitting.Count != 1)
            throw new BadInputException("id", fitting.Count == 0 ? $"No index names a {kind} '{name}'."
                : $"'{name}' fits {fitting.Count} blobs: {string.Join(", ", fitting.Take(8).Select(blob => blob.Id.ToString()[..16]))}.",
                "List them with 'backupdr list blobs'.");
        var (type, id) = fitting.First();
        Raw(await new BlobReader(repository, await repository.LoadIndex(ct)).Read(type, id, ct));
    }

    static void Json(ReadOnlyMemory<byte> text)
    {
        using var document = JsonDocument.Parse(text);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Indented)) document.WriteTo(writer);
        buffer.WriteByte((byte)'\n');
        Raw(buffer.ToArray());
    }

    static void Raw(byte[] bytes)
    {
        using var output = Console.OpenStandardOutput();
        output.Write(bytes);
    }
}
