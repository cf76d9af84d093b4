using BackupDr.Agent.Hooks;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Sources;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Jobs;

/// <summary>What a policy wants to know of a restored copy, beside what every drill looks at.</summary>
/// <param name="Assertions">Queries that must be true in a database.</param>
/// <param name="Script">Runs the program that a policy names; null for none.</param>
sealed record DrillLooks(IReadOnlyList<string> Assertions, CopyLook? Script)
{
    const string PathVariable = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const int LinesTold = 100;
    /// <summary>How the look of a program is named.</summary>
    public const string ScriptPrefix = "program ";
    const uint Nobody = 65534;

    /// <summary>Those of a job.</summary>
    /// <param name="job">The drill.</param>
    /// <param name="folder">The programs of this host that policies may name.</param>
    /// <param name="run">The run.</param>
    /// <param name="reporter">Gets what the program writes.</param>
    public static DrillLooks Of(DrillJob job, HookFolder folder, RunId run, RunReporter reporter)
        => new(job.Assertions ?? [], job.Script is not { } name ? null
            : (variables, user, ct)
                => Run(folder, name, job.ScriptLimit ?? ProofSpec.DefaultScriptLimit, run, variables, user, reporter, ct));

    /// <summary>Gives a copy that nobody runs a server in to nobody, who may touch nothing else. It was compared before.</summary>
    static async Task<(uint, uint)?> Hand(string copy, CancellationToken ct)
    {
        if (!AccountNames.IsRoot) return null;
        var (exit, lines) = await ToolProcess.Run("/bin/chown", ["-R", "--no-dereference", $"{Nobody}:{Nobody}", "--", copy], null, ct);
        return exit == 0 ? (Nobody, Nobody)
            : throw new SourceException("drill.sandbox", $"The copy cannot be given to nobody: {ToolProcess.LastOf(lines)}");
    }

    /// <summary>Runs it as the user of the copy, cut off from everything. Where this host cannot do that, it is not run: a program that
    /// works on a copy of production must not reach production.</summary>
    static async Task<ProofCheck> Run(HookFolder folder, string name, TimeSpan limit, RunId run,
        IReadOnlyDictionary<string, string> variables, (uint Uid, uint Gid)? user, RunReporter reporter, CancellationToken ct)
    {
        ProofCheck Found(bool passed, string detail) => new(ScriptPrefix + name, passed, detail);
        if (!Isolation.IsPossible)
            return Found(false, "It was not run: this host does not let the agent cut it off from the network.");
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        try
        {
            var program = folder.Find(name);
            user ??= await Hand(variables[Isolation.Copy], ct);
            await using var tool = ToolProcess.Start(program, [], user, new Dictionary<string, string>(variables)
            {
                ["BACKUPDR_RUN"] = run.ToString(),
                ["PATH"] = PathVariable,
            }, isBare: true, isGuarded: true, isIsolated: true);
            int? exit = null;
            try { exit = await tool.End(late.Token); }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested) { exit = null; }   // its time is over
            foreach (var line in tool.Lines.TakeLast(LinesTold)) reporter.Event(EventLevel.Info, "drill.output", $"{name}: {line}");
            return exit switch
            {
                0 => Found(true, tool.LastLine),
                null => Found(false, $"It did not end within {limit} and was stopped."),
                _ => Found(false, $"It ended with {exit}: {tool.LastLine}"),
            };
        }
        catch (HookException e) { return Found(false, e.Message); }
        catch (SourceException e) { return Found(false, e.Message); }
    }
}
