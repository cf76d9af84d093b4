using System.CommandLine;
using System.Text.Json;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr diff SNAPSHOT[:PATH] SNAPSHOT[:PATH]</c>.</summary>
sealed class DiffCommand
{
    readonly Argument<string> _before = new("SNAPSHOT[:PATH]")
    {
        Description = "The earlier one; with a path, only what lies in that folder.",
    };
    readonly Argument<string> _after = new("LATER[:PATH]") { Description = "The later one." };
    readonly Option<bool> _metadata = new("--metadata")
    {
        Description = "Also entries whose content is equal but whose mode, owner, times or attributes differ.",
    };

    public static Command Make()
    {
        var made = new DiffCommand();
        var command = new Command("diff",
            "Show what differs between two snapshots: + added, - removed, M content, T kind, U metadata.")
        {
            made._before, made._after, made._metadata,
        };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        using var repository = await arguments.Open(given, ct);
        var (before, beforePath) = await which.Find(repository, given.GetValue(_before)!, given, ct);
        var (after, afterPath) = await which.Find(repository, given.GetValue(_after)!, given, ct);
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var browser = new TreeBrowser(reader);
        output.Note($"comparing snapshot {before.ShortId} to {after.ShortId}:\n");
        var summary = await new SnapshotDiff(reader, given.GetValue(_metadata)).Execute(
            await browser.FolderTree(before, beforePath, ct), await browser.FolderTree(after, afterPath, ct),
            entry => Show(output, entry), ct);
        Tell(output, summary);
        output.Json(json => Write(json, before, after, summary));
        return ExitCodes.Done;
    }

    static void Show(Output output, DiffEntry entry)
    {
        var path = entry.Path + (entry.Node.Type == NodeType.Dir ? "/" : "");
        if (!output.IsJson) output.Line($"{entry.Modifier,-5}{path}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "change");
            json.WriteString("path", path);
            json.WriteString("modifier", entry.Modifier);
            json.WriteEndObject();
        });
    }

    static void Tell(Output output, DiffSummary summary)
    {
        var (added, removed) = (summary.Added, summary.Removed);
        output.Note("");
        output.Note($"Files:       {added.Files,5} new, {removed.Files,5} removed, {summary.ChangedFiles,5} changed");
        output.Note($"Dirs:        {added.Folders,5} new, {removed.Folders,5} removed");
        output.Note($"Others:      {added.Others,5} new, {removed.Others,5} removed");
        output.Note($"Data Blobs:  {added.DataBlobs,5} new, {removed.DataBlobs,5} removed");
        output.Note($"Tree Blobs:  {added.TreeBlobs,5} new, {removed.TreeBlobs,5} removed");
        output.Note($"  Added:   {Output.Size(added.Bytes)}");
        output.Note($"  Removed: {Output.Size(removed.Bytes)}");
    }

    static void Write(Utf8JsonWriter json, Snapshot before, Snapshot after, DiffSummary summary)
    {
        json.WriteStartObject();
        json.WriteString("message_type", "statistics");
        json.WriteString("source_snapshot", before.Id.ToString());
        json.WriteString("target_snapshot", after.Id.ToString());
        json.WriteNumber("changed_files", summary.ChangedFiles);
        foreach (var (name, counts) in (ReadOnlySpan<(string, DiffCounts)>)[("added", summary.Added), ("removed", summary.Removed)])
        {
            json.WriteStartObject(name);
            json.WriteNumber("files", counts.Files);
            json.WriteNumber("dirs", counts.Folders);
            json.WriteNumber("others", counts.Others);
            json.WriteNumber("data_blobs", counts.DataBlobs);
            json.WriteNumber("tree_blobs", counts.TreeBlobs);
            json.WriteNumber("bytes", counts.Bytes);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
