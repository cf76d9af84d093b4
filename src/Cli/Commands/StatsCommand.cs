using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr stats</c>.</summary>
sealed class StatsCommand
{
    readonly Argument<string[]> _snapshots = SnapshotArguments.Several();
    readonly Option<string> _mode = new("--mode")
    {
        DefaultValueFactory = _ => "restore-size",
        Description = "restore-size, files-by-contents, blobs-per-file or raw-data.",
    };

    public static Command Make()
    {
        var made = new StatsCommand();
        var command = new Command("stats", "Count what snapshots hold.") { made._snapshots, made._mode };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    StatisticsMode Mode(ParseResult given) => given.GetValue(_mode) switch
    {
        "restore-size" => StatisticsMode.RestoreSize,
        "files-by-contents" => StatisticsMode.FilesByContents,
        "blobs-per-file" => StatisticsMode.BlobsPerFile,
        "raw-data" => StatisticsMode.RawData,
        var other => throw new BadInputException("--mode", $"--mode: '{other}' is not known.",
            "Write restore-size, files-by-contents, blobs-per-file or raw-data."),
    };

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var mode = Mode(given);
        using var repository = await arguments.Open(given, ct);
        var snapshots = await which.FindAll(repository, given.GetValue(_snapshots) ?? [], given, ct);
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var sums = await new SnapshotStatistics(reader, mode).Execute(snapshots, ct);
        output.Line($"Stats in {given.GetValue(_mode)} mode:");
        output.Line($"     Snapshots processed:  {sums.Snapshots}");
        if (mode != StatisticsMode.RawData) output.Line($"        Total File Count:  {sums.Files}");
        if (sums.Blobs > 0) output.Line($"        Total Blob Count:  {sums.Blobs}");
        if (mode == StatisticsMode.RawData) output.Line($" Total Uncompressed Size:  {Output.Size(sums.PlainBytes)}");
        output.Line($"              Total Size:  {Output.Size(sums.Bytes)}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteNumber("total_size", sums.Bytes);
            if (mode == StatisticsMode.RawData)
            {
                json.WriteNumber("total_uncompressed_size", sums.PlainBytes);
                json.WriteNumber("compression_ratio", sums.Bytes == 0 ? 1 : (double)sums.PlainBytes / sums.Bytes);
            }
            json.WriteNumber("total_file_count", sums.Files);
            json.WriteNumber("total_blob_count", sums.Blobs);
            json.WriteNumber("snapshots_count", sums.Snapshots);
            json.WriteEndObject();
        });
        return ExitCodes.Done;
    }
}
