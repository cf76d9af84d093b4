using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr dump SNAPSHOT PATH</c>.</summary>
sealed class DumpCommand
{
    readonly Argument<string> _snapshot = new("SNAPSHOT") { Description = "The beginning of an id or 'latest'." };
    readonly Argument<string> _path = new("PATH") { Description = "Absolute path in the snapshot, as ls shows it; a file or a folder." };
    readonly Option<string?> _archive = new("--archive", "-a") { Description = "Form of archives: tar. With it a file is archived too." };
    readonly Option<string?> _target = new("--target", "-t") { Description = "New file to write instead of standard output." };

    public static Command Make()
    {
        var made = new DumpCommand();
        var command = new Command("dump", "Write a file's content, or a folder as a tar archive, to standard output.")
        {
            made._snapshot, made._path, made._archive, made._target,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        var which = new SnapshotArguments(command);
        var thaw = new ThawArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, thaw, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ThawArguments thaw, ParseResult given,
        CancellationToken ct)
    {
        if (given.GetValue(_archive) is { } form and not "tar")
            throw new BadInputException("--archive", $"--archive: '{form}' is not known.", "Write tar.");
        var output = arguments.Output(given);
        var thawing = thaw.Request(given, output);
        using var repository = await arguments.Open(given, ct);
        var (snapshot, path) = await which.Find(repository, $"{given.GetValue(_snapshot)}:{given.GetValue(_path)}", given, ct);
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var node = await new TreeBrowser(reader).Find(snapshot, path, ct);
        var dump = new SnapshotDump(reader);
        var asTar = given.GetValue(_archive) is not null || node is null or { Type: NodeType.Dir };
        if (!asTar && node!.Type != NodeType.File)
            throw new BadInputException("path", $"'{path}' is no file and no folder.", "Add --archive tar.");
        if (await Thawing.IsAnythingArchived(repository, ct))
            await Thawing.Need(repository, await dump.Packs(snapshot, path, node, ct), thawing, ct);
        IReadOnlyList<Problem> left = [];
        await using (var stream = Open(given.GetValue(_target)))
        {
            try
            {
                if (asTar) left = await dump.Tar(snapshot, path, stream, ct);
                else await dump.Content(node!, stream, ct);
                await stream.FlushAsync(ct);
            }
            catch (IOException e)
            {
                throw new BadInputException("--target", $"The output cannot be written: {e.Message}", "What was written is not complete.");
            }
        }
        arguments.TellReplicas(given, repository);
        foreach (var problem in left) output.Problem(problem.Path, problem.Message);
        return left.Count == 0 ? ExitCodes.Done : ExitCodes.Incomplete;
    }

    static Stream Open(string? target)
    {
        if (target is null) return Console.OpenStandardOutput();
        try { return new FileStream(target, FileMode.CreateNew, FileAccess.Write); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("--target", $"The file cannot be made: {e.Message}", "Name a new file in a folder that is there.");
        }
    }
}
