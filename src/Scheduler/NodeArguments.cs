using BackupDr.Contracts;

namespace BackupDr.Scheduler;

/// <summary>The node's command line: <c>[--settings FILE] [--stdin-lifetime]</c>.</summary>
public sealed record NodeArguments
{
    /// <summary>Settings file, or null for the usual places.</summary>
    public string? SettingsFile { get; init; }

    /// <summary>Whether the node stops when its standard input ends.</summary>
    public bool StdinLifetime { get; init; }

    /// <exception cref="BadInputException">An argument is unknown or lacks its value.</exception>
    public static NodeArguments Parse(IReadOnlyList<string> args)
    {
        var parsed = new NodeArguments();
        for (var at = 0; at < args.Count; at++)
        {
            parsed = args[at] switch
            {
                "--settings" when at + 1 < args.Count => parsed with { SettingsFile = args[++at] },
                "--settings" => throw new BadInputException("--settings", "--settings needs a file name."),
                "--stdin-lifetime" => parsed with { StdinLifetime = true },
                var other => throw new BadInputException(other, $"'{other}' is no argument of a node.",
                    "A node takes [--settings FILE] [--stdin-lifetime]."),
            };
        }
        return parsed;
    }
}
