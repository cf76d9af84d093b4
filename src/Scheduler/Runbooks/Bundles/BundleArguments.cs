using BackupDr.Contracts;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>The command line of an execution from a bundle.</summary>
public sealed record BundleArguments
{
    /// <summary>The bundle.</summary>
    public string Bundle { get; init; } = "";
    /// <summary>Folder of what is written down; null for the one beside the bundle.</summary>
    public string? Work { get; init; }
    /// <summary>Why it is executed.</summary>
    public ExecutionMode Mode { get; init; } = ExecutionMode.Disaster;
    /// <summary>Whether it is only looked at.</summary>
    public bool IsCheck { get; init; }
    /// <summary>Why, in words.</summary>
    public string Why { get; init; } = "";
    /// <summary>Who executes it.</summary>
    public string By { get; init; } = "";
    /// <summary>Whether it begins without being asked once more.</summary>
    public bool Yes { get; init; }
    /// <summary>Whether whoever begins it answers for it that nobody else executes it.</summary>
    public bool Alone { get; init; }
    /// <summary>The execution that is given up because its machine is gone; null for none.</summary>
    public string? TakeOver { get; init; }
    /// <summary>File with the passphrase; null for being asked.</summary>
    public string? PassphraseFile { get; init; }
    /// <summary>File with the recovery key in the place of a passphrase; null for none.</summary>
    public string? RecoveryKeyFile { get; init; }
    /// <summary>State folder of the agent of this machine; null for the usual one.</summary>
    public string? AgentState { get; init; }
    /// <summary>Folder of what this machine allows runbooks; null for the usual one.</summary>
    public string? AgentSteps { get; init; }

    /// <summary>Folder of what is written down: journals, orders and answers.</summary>
    public string Folder => Path.GetFullPath(Work ?? $"{Bundle}.run");

    /// <summary>Reads them.</summary>
    /// <exception cref="BadInputException">They are off.</exception>
    public static BundleArguments Parse(IReadOnlyList<string> args, Func<string, string?> variable)
    {
        var parsed = new BundleArguments { By = variable("SUDO_USER") ?? variable("USER") ?? Environment.UserName };
        for (var at = 0; at < args.Count; at++)
        {
            var name = args[at];
            string Value() => at + 1 < args.Count ? args[++at]
                : throw new BadInputException(name, "It has no value.", "Write it behind it.");
            parsed = name switch
            {
                "--bundle" => parsed with { Bundle = Path.GetFullPath(Value()) },
                "--work" => parsed with { Work = Value() },
                "--mode" => parsed.With(Value()),
                "--why" => parsed with { Why = Value() },
                "--by" => parsed with { By = Value() },
                "--yes" => parsed with { Yes = true },
                "--alone" => parsed with { Alone = true },
                "--take-over" => parsed with { TakeOver = Value() },
                "--passphrase-file" => parsed with { PassphraseFile = Value() },
                "--recovery-key-file" => parsed with { RecoveryKeyFile = Value() },
                "--agent-state" => parsed with { AgentState = Path.GetFullPath(Value()) },
                "--agent-steps" => parsed with { AgentSteps = Path.GetFullPath(Value()) },
                _ => throw new BadInputException("arguments", $"'{name}' is no option here.", "See: backupdr runbook run --help"),
            };
        }
        return parsed.Bundle.Length > 0 ? parsed : throw new BadInputException("--bundle", "No bundle is named.", "Write --bundle FILE.");
    }

    BundleArguments With(string mode) => mode.ToLowerInvariant() switch
    {
        "check" => this with { IsCheck = true, Mode = ExecutionMode.Disaster },
        "rehearsal" => this with { Mode = ExecutionMode.Rehearsal },
        "planned" => this with { Mode = ExecutionMode.Planned },
        "disaster" => this with { Mode = ExecutionMode.Disaster },
        "failback" => this with { Mode = ExecutionMode.Failback },
        _ => throw new BadInputException("--mode", $"'{mode}' is no mode.", "Disaster, Rehearsal, Check, Planned or Failback."),
    };
}
