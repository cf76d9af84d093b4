using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr list packs|index|snapshots|keys|locks|blobs</c>.</summary>
static class ListCommand
{
    public static Command Make()
    {
        var kind = new Argument<string>("KIND") { Description = "packs, index, snapshots, keys, locks or blobs." };
        var command = new Command("list", "List the ids of a repository's objects.") { kind };
        var repository = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            var wanted = given.GetValue(kind)!;
            var folder = wanted == "blobs" ? null : Folder(wanted);
            using var opened = await repository.Open(given, ct);
            if (folder is null) await Blobs(output, opened, ct);
            else
                await foreach (var id in RepositoryObjects.List(opened, folder, ct)) Show(output, id, null);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The folder that a word of restic's stands for; singular or plural.</summary>
    /// <exception cref="BadInputException">The word is not known.</exception>
    internal static string Folder(string kind) => kind switch
    {
        "packs" or "pack" => ObjectLayout.Data,
        "index" => ObjectLayout.Index,
        "snapshots" or "snapshot" => ObjectLayout.Snapshots,
        "keys" or "key" => ObjectLayout.Keys,
        "locks" or "lock" => ObjectLayout.Locks,
        _ => throw new BadInputException("kind", $"'{kind}' is no kind of object.", "Write packs, index, snapshots, keys, locks or blobs."),
    };

    static async Task Blobs(Output output, Repository repository, CancellationToken ct)
    {
        var seen = new HashSet<(BlobType, BlobId)>();
        await foreach (var pack in RepositoryObjects.Packs(repository, ct))
            foreach (var blob in pack.Blobs)
                if (seen.Add((blob.Type, blob.Id))) Show(output, blob.Id, blob.Type);
    }

    static void Show(Output output, BlobId id, BlobType? type)
    {
        var word = type == BlobType.Tree ? "tree" : "data";
        if (!output.IsJson) output.Line(type is null ? id.ToString() : $"{word} {id}");
        output.Json(json =>
        {
            json.WriteStartObject();
            if (type is not null) json.WriteString("type", word);
            json.WriteString("id", id.ToString());
            json.WriteEndObject();
        });
    }
}
