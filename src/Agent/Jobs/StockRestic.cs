using System.Diagnostics;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Restic;
using BackupDr.Engine;
using BackupDr.Engine.Locks;
using BackupDr.Sources;
using BackupDr.Sources.Tools;

namespace BackupDr.Agent.Jobs;

/// <summary>Lets the unmodified restic program of this host look through a repository, so that somebody else's code says that it is whole.
/// It reads only, takes no lock, and is stopped after its time; meanwhile a lock of ours keeps everybody from sweeping.</summary>
/// <param name="state">Of the agent: what the program needs lies there as long as it runs.</param>
/// <param name="program">Absolute path; null where it is not installed.</param>
sealed class StockRestic(AgentState state, string? program)
{
    static readonly TimeSpan Longest = TimeSpan.FromHours(6);
    const string Name = "restic", UsualFolders = "/usr/local/bin:/usr/bin";
    const int LinesTold = 50;

    /// <summary>Where it is installed; null for nowhere.</summary>
    public static string? Find() => (Environment.GetEnvironmentVariable("PATH") ?? UsualFolders).Split(':')
        .Where(folder => folder.StartsWith('/')).Select(folder => Path.Combine(folder, Name)).FirstOrDefault(File.Exists);

    /// <summary>Looks.</summary>
    /// <param name="repository">Open, for the lock.</param>
    /// <param name="run">The run.</param>
    /// <param name="url">The repository's own place, as restic writes it.</param>
    /// <param name="reporter">Told what it writes.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<ResticCheck> Look(Repository repository, LeasedRun run, string url, RunReporter reporter, CancellationToken ct)
    {
        if (program is null) return new ResticCheck { Problem = "restic is not installed on this host." };
        var begun = Stopwatch.GetTimestamp();
        var (_, words) = await ToolProcess.Run(program, ["version"], null, ct);
        var found = await Guarded(repository, run, url, reporter, ct) with
        {
            Version = CheckOutput.Version(words) ?? "of an unknown version",
            Seconds = Math.Round(Stopwatch.GetElapsedTime(begun).TotalSeconds, 3),
        };
        var level = found.Errors.Count > 0 ? EventLevel.Error : found.Problem is null ? EventLevel.Info : EventLevel.Warning;
        reporter.Event(level, "check.restic", $"restic {found.Version}: "
            + (found.Errors.Count > 0 ? $"{found.Errors.Count} errors." : found.Problem ?? "no errors."));
        return found;
    }

    async Task<ResticCheck> Guarded(Repository repository, LeasedRun run, string url, RunReporter reporter, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Longest);
        try
        {
            await using var held = await RepositoryLock.Take(repository, exclusive: false, late.Token);
            using var sandbox = DrillSandbox.Make(state, run.RunId);
            return await sandbox.Space.Watch(token => Check(run, url, sandbox.Folder, reporter, token), late.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new ResticCheck { Problem = $"It did not end within {Longest.TotalHours:0} hours and was stopped." };
        }
        // Nothing of this says that the repository is damaged; our own check has told what it found.
        catch (Exception e) when (e is SourceException or RepositoryException) { return new ResticCheck { Problem = e.Message }; }
    }

    async Task<ResticCheck> Check(LeasedRun run, string url, string folder, RunReporter reporter, CancellationToken ct)
    {
        await using var tool = ToolProcess.Start(program!, Arguments(run.Job.Repository, folder), null, Variables(run, url, folder),
            isBare: true, isGuarded: true);
        var code = await tool.End(ct);
        foreach (var line in tool.Lines.TakeLast(LinesTold)) reporter.Event(EventLevel.Info, "check.output", $"restic: {line}");
        var (errors, problem) = CheckOutput.Read(code, tool.Lines);
        return new ResticCheck { Errors = errors, Problem = problem };
    }

    List<string> Arguments(RepositoryAccess access, string folder)
    {
        // Trees are read pack by pack with a cache, else one by one over the network. It makes one of its own below and removes it.
        var cache = Directory.CreateDirectory(Path.Combine(folder, "cache")).FullName;
        List<string> words = ["check", "--no-lock", "--cache-dir", cache];
        if (StockCommand.Region(access.Options) is { } region) words.AddRange(["-o", region]);
        if (access.IsGateway)
            words.AddRange(["--cacert", state.AuthorityFile, "--tls-client-cert", Certificate(folder)]);
        else if (access.AuthorityPem is { } authority)
        {
            var file = Path.Combine(folder, "authority.pem");
            File.WriteAllText(file, authority);
            words.AddRange(["--cacert", file]);
        }
        return words;
    }

    /// <summary>What shows the gateway who we are: certificate and key in one file of the private folder.</summary>
    string Certificate(string folder)
    {
        var file = Path.Combine(folder, "agent.pem");
        PrivateFile.Write(file, File.ReadAllText(state.CertificateFile) + "\n" + File.ReadAllText(state.KeyFile));
        return file;
    }

    static Dictionary<string, string> Variables(LeasedRun run, string url, string folder)
    {
        var access = run.Job.Repository;
        var variables = new Dictionary<string, string>
        {
            ["RESTIC_REPOSITORY"] = url,
            ["RESTIC_PASSWORD"] = access.Password,
            ["HOME"] = folder,
            ["TMPDIR"] = folder,
            ["PATH"] = UsualFolders,
        };
        // Credentials that came with the job are used alone, else those of this machine.
        if (access.Variables is null)
            foreach (var name in (string[])["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
                "AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULT_REGION", "AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY", "AZURE_ACCOUNT_SAS"])
                if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value) variables[name] = value;
        foreach (var (name, value) in StockCommand.Variables(access.Variables)) variables[name] = value;
        return variables;
    }
}
