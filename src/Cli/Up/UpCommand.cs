using System.CommandLine;
using BackupDr.Contracts;

namespace BackupDr.Cli.Up;

/// <summary><c>backupdr up</c>: the whole service on this machine, and the first proof.</summary>
static class UpCommand
{
    public static Command Make()
    {
        var command = new Command("up", "Start the whole service on this machine: database, node with console, agent. Protects a folder "
            + "and proves a restore of it.");
        var protect = new Option<string[]>("--protect")
        {
            Description =
            "Folder to protect; may be given several times. Not needed on later starts.",
            AllowMultipleArgumentsPerToken = true
        };
        var data = new Option<string?>("--data")
        {
            Description = "Where everything is kept. Default: /var/lib/backupdr for root, else the "
            + "XDG data folder."
        };
        var port = new Option<int?>("--port")
        {
            Description = "Port of the console; agents use the next one. Default: 8420, or what the "
            + "last start used."
        };
        var once = new Option<bool>("--once") { Description = "Stop when the proof is done." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of the screen." };
        var noBrowser = new Option<bool>("--no-browser") { Description = "Do not open the console in a browser." };
        foreach (var option in (Option[])[protect, data, port, once, json, noBrowser]) command.Add(option);
        command.SetAction((given, ct) => UpRun.Execute(new UpOptions
        {
            Protect = [.. (given.GetValue(protect) ?? []).Select(Absolute)],
            Data = Path.GetFullPath(given.GetValue(data) ?? DataFolder.Default),
            Port = given.GetValue(port) is not { } number ? null : number is > 0 and < 65535 ? number
                : throw new BadInputException("port", $"{number} is no port for the console.",
                    "Choose one between 1 and 65534; the next one is used as well."),
            Once = given.GetValue(once),
            Json = given.GetValue(json),
            OpenBrowser = !given.GetValue(noBrowser),
        }, ct));
        return command;
    }

    static FilePath Absolute(string path)
    {
        if (path.Length == 0) throw new BadInputException("protect", "The folder to protect is empty.", "Name an existing folder.");
        var full = Path.GetFullPath(path);
        return Directory.Exists(full) || File.Exists(full) ? FilePath.FromText(full.Length > 1 ? full.TrimEnd('/') : full)
            : throw new BadInputException("protect", $"The path {full} does not exist.", "Name an existing folder.");
    }
}

/// <summary>What was asked of <c>up</c>.</summary>
sealed record UpOptions
{
    public required IReadOnlyList<FilePath> Protect { get; init; }
    public required string Data { get; init; }
    public int? Port { get; init; }
    public bool Once { get; init; }
    public bool Json { get; init; }
    public bool OpenBrowser { get; init; }
}
