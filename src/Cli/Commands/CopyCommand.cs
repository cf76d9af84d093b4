using System.CommandLine;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr copy --from-repo REPOSITORY</c>.</summary>
sealed class CopyCommand
{
    readonly Argument<string[]> _snapshots = new("SNAPSHOT")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "Snapshots of the other repository; without one, all that fit --host, --tag and --path.",
    };
    readonly Option<string?> _from = new("--from-repo")
    {
        Description = "Where the snapshots are now. Else BACKUPDR_FROM_REPOSITORY, RESTIC_FROM_REPOSITORY.",
    };
    readonly Option<string?> _fromPasswordFile = new("--from-password-file")
    {
        Description = "File with its password. Else BACKUPDR_FROM_PASSWORD_FILE, BACKUPDR_FROM_PASSWORD, and the RESTIC_ names.",
    };

    public static Command Make()
    {
        var made = new CopyCommand();
        var command = new Command("copy", "Copy snapshots from another repository into this one; only what is missing is written.")
        {
            made._snapshots, made._from, made._fromPasswordFile,
        };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        using var from = await arguments.OpenOther(given, given.GetValue(_from), given.GetValue(_fromPasswordFile), ct);
        using var to = await arguments.Open(given, ct);
        var snapshots = await which.FindAll(from, given.GetValue(_snapshots) ?? [], given, ct);
        if (from.ChunkerPolynomial != to.ChunkerPolynomial)
            output.Note("note: the two repositories cut files with different parameters, so a later backup into this one by stock restic "
                + "stores files anew once.");
        var (copied, kept) = (0, 0);
        await SnapshotCopy.Execute(from, to, snapshots, one =>
        {
            if (one.WasThere) kept++; else copied++;
            output.Line(one.WasThere ? $"{one.Source.ShortId} is here already as {one.Copy.ToString()[..8]}"
                : $"{one.Source.ShortId} copied as {one.Copy.ToString()[..8]}: "
                    + $"{Output.Count(one.BlobsCopied, "blob")}, {Output.Size(one.BytesCopied)}");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", one.WasThere ? "kept" : "copied");
                json.WriteString("source_snapshot", one.Source.Id.ToString());
                json.WriteString("snapshot_id", one.Copy.ToString());
                json.WriteNumber("blobs_copied", one.BlobsCopied);
                json.WriteNumber("bytes_copied", one.BytesCopied);
                json.WriteEndObject();
            });
        }, ct);
        output.Note($"{Output.Count(copied, "snapshot")} copied, {kept} here already");
        return ExitCodes.Done;
    }
}
