using BackupDr.Agent.Hooks;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

public sealed class HookTests : IDisposable
{
    static readonly BackupJob Job = new()
    {
        HostName = "web-1",
        Source = new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/app")] } },
    };

    readonly ScratchFolder _scratch = new();
    readonly RunReporter _reporter = new(TimeProvider.System);
    int _backups;

    public HookTests()
    {
        Mount.NeedRoot();   // hooks are root's files
        Tool.Succeed("chmod", "755", _scratch.Folder("hooks.d"));
    }

    public void Dispose() => _scratch.Dispose();

    string Hook(string name, string script, string mode = "755")
    {
        _scratch.File($"hooks.d/{name}", $"#!/bin/sh\n{script}\n");
        Tool.Succeed("chmod", mode, _scratch.At($"hooks.d/{name}"));
        return name;
    }

    Task<JobResult> Run(HooksSpec hooks, CancellationToken ct = default) => HookRun.Around(new HookFolder(_scratch.At("hooks.d")), hooks,
        RunId.New(TimeProvider.System), Job, _reporter, _ =>
        {
            _backups++;
            ct.ThrowIfCancellationRequested();
            return Task.FromResult(new JobResult
            {
                Outcome = JobOutcome.Complete,
                Backup = new BackupResult { SnapshotId = new string('a', 64), TakenAt = DateTimeOffset.UnixEpoch },
            });
        }, ct);

    IReadOnlyList<string> Told() => [.. _reporter.Take([]).Events.Select(line => line.Text)];

    [Fact]
    public async Task Hooks_run_around_a_backup_with_its_facts_and_without_the_agents_own_variables()
    {
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "not for hooks");
        var hook = Hook("note",
            $"env | sort | tr '\\n' ' ' >> {_scratch.At("noted")}; echo >> {_scratch.At("noted")}; echo said $BACKUPDR_HOOK");

        var result = await Run(new HooksSpec { Before = hook, After = hook });

        Assert.Equal((JobOutcome.Complete, null, 1), (result.Outcome, result.Backup!.Warnings, _backups));
        var noted = File.ReadAllLines(_scratch.At("noted"));
        Assert.Equal(2, noted.Length);
        Assert.Contains("BACKUPDR_HOOK=before BACKUPDR_HOST=web-1 BACKUPDR_RUN=run_", noted[0], StringComparison.Ordinal);
        Assert.Contains("BACKUPDR_SOURCE=/srv/app BACKUPDR_SOURCE_KIND=Files", noted[0], StringComparison.Ordinal);
        Assert.Contains("BACKUPDR_OUTCOME=Complete", noted[1], StringComparison.Ordinal);
        Assert.Contains($"BACKUPDR_SNAPSHOT={new string('a', 64)}", noted[1], StringComparison.Ordinal);
        Assert.DoesNotContain("AWS_", string.Concat(noted), StringComparison.Ordinal);
        Assert.Equal(["note: said before", "note: said after"], Told().Where(text => text.StartsWith("note: ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_failing_hook_before_fails_the_run_or_warns_and_the_one_after_runs_all_the_same()
    {
        var (failing, after) = (Hook("failing", "exit 7"), Hook("after", $"echo $BACKUPDR_OUTCOME >> {_scratch.At("noted")}"));

        var refused = await Assert.ThrowsAsync<HookException>(() => Run(new HooksSpec { Before = failing, After = after }));
        Assert.Equal(("hook.failed", 0), (refused.Code, _backups));
        var warned = await Run(new HooksSpec { Before = failing, After = after, BeforeFailure = HookFailure.Warn });
        Assert.Contains("exit code 7", Assert.Single(warned.Backup!.Warnings!), StringComparison.Ordinal);
        var late = await Run(new HooksSpec { After = failing });
        Assert.Contains("exit code 7", Assert.Single(late.Backup!.Warnings!), StringComparison.Ordinal);
        await Assert.ThrowsAsync<OperationCanceledException>(() => Run(new HooksSpec { After = after }, new CancellationToken(true)));

        Assert.Equal(["Failed", "Complete", "Cancelled"], File.ReadAllLines(_scratch.At("noted")));
    }

    [Fact]
    public async Task A_hook_that_does_not_end_is_stopped_with_what_it_started()
    {
        var hook = Hook("slow", $"sleep 600 & echo $! > {_scratch.At("pid")}; wait");

        var late = await Assert.ThrowsAsync<HookException>(() => Run(new HooksSpec { Before = hook, Limit = TimeSpan.FromSeconds(2) }));

        Assert.Equal("hook.late", late.Code);
        Assert.False(Directory.Exists($"/proc/{File.ReadAllText(_scratch.At("pid")).Trim()}/cwd"));
    }

    [Fact]
    public async Task Only_roots_own_programs_in_the_folder_are_run()
    {
        Hook("writable", "true", "777");
        Hook("plain", "true", "644");
        Tool.Succeed("chown", "1234", _scratch.At($"hooks.d/{Hook("strangers", "true")}"));
        Tool.Succeed("ln", "-s", "/bin/true", _scratch.At("hooks.d/link"));
        _scratch.File("outside", "#!/bin/sh\n");
        async Task<string> Refused(string name)
            => (await Assert.ThrowsAsync<HookException>(() => Run(new HooksSpec { Before = name }))).Code;

        foreach (var name in (string[])["writable", "plain", "strangers", "link"])
            Assert.Equal("hook.unsafe", await Refused(name));
        foreach (var name in (string[])["../outside", "", ".hidden", "a b", "hooks.d/plain"])
            Assert.Equal("hook.name", await Refused(name));
        Assert.Equal("hook.missing", await Refused("none"));
        Tool.Succeed("chmod", "777", _scratch.At("hooks.d"));
        Assert.Equal("hook.unsafe", await Refused(Hook("fine", "true")));
        Assert.Equal(0, _backups);
    }
}
