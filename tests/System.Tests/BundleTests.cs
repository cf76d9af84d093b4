using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>A runbook is executed from its bundle while the database and every node are off, is killed twice on the way, and is merged
/// when they are back.</summary>
public sealed class BundleTests
{
    static readonly CancellationToken NoStop = CancellationToken.None;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4), LookEvery = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task A_bundle_is_executed_without_console_and_database_and_merged_when_they_are_back()
    {
        Mount.NeedRoot();   // what runbooks may do on a host is in root's files
        await using var service = new Service();
        await using var order = new PostSink();
        await using var names = new BindServer();
        await names.Start();
        await service.StartSmall();
        var programs = new CountedPrograms(service.Folder("work"), service.Folder("steps.d"));
        var run = new BundleRun(service);
        var runbook = await Prepare(service, programs, order, names);
        await run.Save(runbook);
        Assert.Equal(0, await service.Stop());
        Assert.False(Directory.EnumerateFiles(service.Data, "postmaster.pid", SearchOption.AllDirectories).Any(), "the database is off");

        run.RefusesAnAlteredByte();
        await run.IsLeftAtItsQuestions();
        await Execute(run, programs, order);
        var evidence = run.Evidence();
        Assert.Equal(["move all of it"], programs.Done);
        Assert.Single(order.All);
        Assert.Equal("127.0.0.2", names.Dig("app"));
        Assert.Equal("here\n", await File.ReadAllTextAsync(Assert.Single(Directory.EnumerateFiles(service.At(""), "file",
            SearchOption.AllDirectories), file => file.Contains(".restored-", StringComparison.Ordinal)), NoStop));
        run.VerifiesAndLocates(evidence);

        service.Start();
        using var api = service.Api();
        await service.Until(() => api.IsReady(NoStop), "the console is back");
        await AssertMerged(service, api, runbook, evidence);
    }

    static async Task<Runbook> Prepare(Service service, CountedPrograms programs, PostSink order, BindServer names)
    {
        using var api = service.Api();
        using var http = service.Http();
        var item = Assert.Single(await api.Items(NoStop));
        using var secret = await http.PutAsJsonAsync("step-secrets/ddns", new SaveStepSecretRequest { Name = "ddns", Value = names.Key },
            WireJson.Default.SaveStepSecretRequest, NoStop);
        Assert.True(secret.IsSuccessStatusCode, await secret.Content.ReadAsStringAsync(NoStop));
        await api.CreateLocation(new CreateLocationRequest
        {
            Name = "witness",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(service.Folder("witness")),
        }, NoStop);
        var program = programs.Write();
        Tool.Succeed("chmod", "-R", "755", service.Folder("steps.d"));
        return await http.Post("runbooks", new CreateRunbookRequest
        {
            Name = "shop",
            Spec = new RunbookSpec
            {
                From = "eu-west",
                To = "eu-north",
                RehearseEvery = TimeSpan.Zero,
                Steps =
                [
                    Step("move", StepKind.Script) with { Script = new ScriptStepSpec { Host = item.HostName, Run = program } },
                    Step("files", StepKind.RestoreFiles, "move") with { Restore = new RestoreStep { Item = item.Id } },
                    Step("order", StepKind.Http, "files") with
                    { Http = new HttpSpec { Method = "POST", Url = order.Url, Body = "one" } },
                    Step("name", StepKind.DnsChange, "order") with { Dns = names.Move("app", "ddns", "127.0.0.1", "127.0.0.2") },
                ],
            },
        }, WireJson.Default.CreateRunbookRequest, WireJson.Default.Runbook);
    }

    static StepSpec Step(string name, StepKind kind, params IReadOnlyList<string> needs)
        => new() { Name = name, Kind = kind, Needs = needs, Timeout = TimeSpan.FromMinutes(10) };

    /// <summary>Killed while a program of the host is at work, which goes on, and while a call is on its way, which is not made again.
    /// </summary>
    static async Task Execute(BundleRun run, CountedPrograms programs, PostSink order)
    {
        var release = programs.Hold();
        using (var first = run.Start())
        {
            await run.Until(() => programs.Done.Count > 0, "the program is at work", first);
            run.IsRefusedElsewhere();
            await BundleRun.Kill(first);
        }
        await release();
        order.Hold();
        using (var second = run.Start())
        {
            await run.Until(() => !order.All.IsEmpty, "the call is on its way", second);
            await BundleRun.Kill(second);
        }
        order.Release();
        using var third = run.Start();
        await run.Until(() => run.Said(">>> 'order' waits for your choice"), "a person is asked", third);
        Assert.Contains("is critical", run.Answer(1, "ByHand", "--step", "order", "--by", "ann", "--text", "the order is there"),
            StringComparison.Ordinal);
        run.Answer(0, "ByHand", "--step", "order", "--by", "ann", "--second", "bob", "--text", "the order is there");
        await run.Until(() => third.HasExited, "it is over", third);
        Assert.True(third.ExitCode == 0, run.Log);
    }

    static async Task AssertMerged(Service service, ApiClient api, Runbook runbook, string evidence)
    {
        using var http = service.Http();
        var text = await File.ReadAllTextAsync(evidence, NoStop);
        var altered = text.Replace("the order is there", "the order is gone", StringComparison.Ordinal);
        var line = text[..text.IndexOf("the order is there", StringComparison.Ordinal)].Count(one => one == '\n') + 1;
        var refused = await Assert.ThrowsAsync<ConflictException>(() => api.MergeExecution(new MergeExecutionRequest(altered), NoStop));
        Assert.Equal("bundle.altered", refused.Code);
        Assert.Contains($"line {line}:", refused.Message, StringComparison.Ordinal);

        var merged = await api.MergeExecution(new MergeExecutionRequest(text), NoStop);
        Assert.True(merged.IsNew);
        Assert.False((await api.MergeExecution(new MergeExecutionRequest(text), NoStop)).IsNew);
        var view = await api.Execution(merged.Execution, NoStop);
        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.Succeeded), (view.State.Phase, view.State.Outcome));
        Assert.Equal((runbook.Id, "ann"), (view.Summary.Runbook, view.Summary.By));
        Assert.NotNull(view.Summary.Bundle);
        Assert.Equal([StepPhase.Done, StepPhase.Done, StepPhase.ByHand, StepPhase.Done], view.State.Steps.Select(step => step.Phase));
        var events = await http.GetFromJsonAsync($"executions/{merged.Execution}/events",
            WireJson.Default.IReadOnlyListExecutionEventLine, NoStop);
        Assert.Equal(merged.Events, events!.Count);
        var chain = service.At("chain");
        await using (var file = File.Create(chain)) await api.ExportEvidence(new ExportEvidenceRequest(null, null), file, NoStop);
        Tool.Succeed(PublishedProgram.Path, "evidence", "verify", chain);
        var record = Assert.Single(await File.ReadAllLinesAsync(chain, NoStop), one => one.Contains("\"kind\":\"execution\"",
            StringComparison.Ordinal));
        Assert.Contains(merged.Execution.ToString(), record, StringComparison.Ordinal);
        Assert.Contains("done by hand", record, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The bundle's file and the commands on it, as a person gives them.</summary>
    sealed class BundleRun(Service service)
    {
        readonly string _bundle = service.At("shop.bundle"), _log = service.At("run.log"), _passphrase = service.At("passphrase");

        public string Log => File.Exists(_log) ? File.ReadAllText(_log) : "";

        public bool Said(string words) => Log.Contains(words, StringComparison.Ordinal);

        public async Task Save(Runbook runbook)
        {
            await File.WriteAllTextAsync(_passphrase, "horse staple battery\n", NoStop);
            Tool.Succeed(PublishedProgram.Path, "runbook", "bundle", runbook.Name, "-o", _bundle, "--passphrase-file", _passphrase, "--url",
                service.Console.ToString(), "--api-key-file", Path.Combine(service.Data, "secrets", "api-key"));
            Assert.DoesNotContain(File.ReadAllText(Path.Combine(service.Data, "secrets", "api-key")).Trim(),
                await File.ReadAllTextAsync(_bundle, NoStop), StringComparison.Ordinal);
        }

        string[] Words(string bundle, params string[] more) => ["runbook", "run", "--bundle", bundle, "--passphrase-file", _passphrase,
            "--why", "both are gone", "--by", "ann", "--yes", "--agent-state", Path.Combine(service.Data, "agent"), "--agent-steps",
            service.Folder("steps.d"), .. more];

        public Process Start() => Process.Start(new ProcessStartInfo("sh", ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", _log,
            PublishedProgram.Path, .. Words(_bundle)])
        { RedirectStandardInput = true })!;

        public static async Task Kill(Process process)
        {
            process.Kill();
            await process.WaitForExitAsync(NoStop);
        }

        public async Task Until(Func<bool> isSo, string what, Process process)
        {
            for (var begun = Stopwatch.GetTimestamp(); !isSo();)
            {
                if (Stopwatch.GetElapsedTime(begun) > Patience || (process.HasExited && !isSo())) Assert.Fail($"Not: {what}.\n{Log}");
                await Task.Delay(LookEvery, NoStop);
            }
        }

        /// <summary>At another machine, with a folder of its own, nobody begins the same while it is under way.</summary>
        public void IsRefusedElsewhere()
        {
            var other = Tool.Run(PublishedProgram.Path, Words(_bundle, "--work", service.At("elsewhere")));
            Assert.Contains("Somebody else executes this runbook", other.Errors, StringComparison.Ordinal);
            Assert.Equal(1, other.ExitCode);
        }

        public void RefusesAnAlteredByte()
        {
            var bytes = File.ReadAllBytes(_bundle);
            bytes[bytes.Length / 2] ^= 1;
            File.WriteAllBytes(service.At("altered"), bytes);
            var refused = Tool.Run(PublishedProgram.Path, Words(service.At("altered")));
            Assert.Equal(21, refused.ExitCode);
            Assert.Contains($"line {bytes.AsSpan(0, bytes.Length / 2).Count((byte)'\n') + 1}, the part '", refused.Errors,
                StringComparison.Ordinal);
            Assert.False(Directory.Exists(service.At("altered.run")));
        }

        /// <summary>Ctrl-C at a terminal, where it asks for the passphrase and where it asks whether it is to begin: nothing was begun.
        /// </summary>
        public async Task IsLeftAtItsQuestions()
        {
            foreach (var (question, left) in ((string, string[])[])
                [("Passphrase of the bundle:", ["--yes", "--passphrase-file", _passphrase]), ("type its name: shop", ["--yes"])])
            {
                var shown = service.At($"terminal-{left.Length}");
                var words = Words(_bundle).Except(left).Select(word => $"'{word}'");
                using var terminal = Process.Start(new ProcessStartInfo("script",
                    ["--quiet", "--return", "--flush", "--command", $"exec {PublishedProgram.Path} {string.Join(' ', words)}", shown])
                { RedirectStandardInput = true, RedirectStandardOutput = true })!;
                var drained = terminal.StandardOutput.ReadToEndAsync(NoStop);
                await Until(() => File.Exists(shown) && File.ReadAllText(shown).Contains(question, StringComparison.Ordinal), question,
                    terminal);
                await terminal.StandardInput.WriteAsync('\u0003');
                await terminal.StandardInput.FlushAsync(NoStop);
                await Until(() => terminal.HasExited, $"Ctrl-C ends it at: {question}", terminal);
                Assert.Contains("Stopped.", await drained, StringComparison.Ordinal);
                Assert.Equal(130, terminal.ExitCode);
                Assert.Empty(Directory.Exists($"{_bundle}.run") ? Directory.EnumerateFiles($"{_bundle}.run", "*.jsonl") : []);
            }
        }

        public string Answer(int exitCode, params string[] words)
        {
            var answered = Tool.Run(PublishedProgram.Path, ["runbook", "answer", words[0], "--bundle", _bundle, .. words[1..]]);
            Assert.True(answered.ExitCode == exitCode, $"{answered.Output}{answered.Errors}\n{Log}");
            return answered.Output;
        }

        public string Evidence() => Assert.Single(Directory.EnumerateFiles($"{_bundle}.run", "*.evidence.jsonl"));

        public void VerifiesAndLocates(string evidence)
        {
            Tool.Succeed(PublishedProgram.Path, "evidence", "verify", evidence);
            var altered = service.At("altered.jsonl");
            File.WriteAllText(altered, File.ReadAllText(evidence).Replace("the order is there", "the order is gone",
                StringComparison.Ordinal));
            var verdict = Tool.Run(PublishedProgram.Path, ["evidence", "verify", altered, "--json"]);
            Assert.Equal(21, verdict.ExitCode);
            using var json = JsonDocument.Parse(verdict.Output);
            Assert.NotEqual(0, json.RootElement.GetProperty("problems")[0].GetProperty("record").GetInt64());
        }
    }
}
