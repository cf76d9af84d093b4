using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>The old control plane and the rebuilt one at once: the old one is cut off and goes on, the other one begins, and the old one
/// comes back.</summary>
public sealed class OldControlPlaneTests
{
    const string Superseded = "control_plane.superseded", Password = "a sentence is easier";

    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_old_control_plane_that_was_cut_off_removes_starts_and_changes_nothing_when_it_is_back_and_says_why()
    {
        Assert.SkipWhen(IsolatedHost.Missing() is not null && Environment.GetEnvironmentVariable("CI") is null,
            $"needs {IsolatedHost.Missing()}");
        Tool.Need("restic", "restic");
        await using var scene = await OldControlPlane.Start();
        var (old, rebuilt) = (scene.Old, scene.New);
        var (web, data) = (await scene.AddHost("web"), await scene.AddHost("data"));
        await AddReplica(scene, web);
        using var page = await SignIn(old);
        await scene.Export();
        await using var target = new PostSink();
        var execution = await StartRunbook(old, target);

        // The old one is cut off from the places and from one host, and goes on with the other.
        old.CutOff(scene.Places);
        await scene.Rebuild();
        web.Way.Point(rebuilt.Port + 1);
        Assert.Equal(RunState.Complete, (await scene.BackUp(rebuilt, web)).State);
        var waiting = await Ask(scene, web, data);
        Assert.Equal(RunState.Complete, (await scene.BackUp(old, data)).State);   // what only adds is not held up
        Assert.Null((await StateOf(old)).Later);

        // It comes back: the first that it meets is the host that was told.
        web.Way.Point(old.Port + 1);
        await scene.Until(async () => (await StateOf(old)).Later is not null, "the old one learns of the new one");
        web.Way.Point(rebuilt.Port + 1);
        Assert.Equal((2, "what the agent on web was told"), ((await StateOf(old)).Later!.Term, (await StateOf(old)).Later!.SeenIn));
        await ShowThatItSaysWhy(old, page, web, waiting[0], execution);   // what it was at in that moment has ended meanwhile
        var before = await Effects(old);
        await old.Pass(TimeSpan.FromMinutes(30));   // policies of a minute are due again and again, and the runbook's next step

        // The host that it kept is sent away, and finds the new one where its address leads now, which alone removes.
        data.Way.Point(rebuilt.Port + 1);
        using (var http = rebuilt.Http())
        {
            var pruned = await http.Post($"repositories/{data.Repository}/prune", WireJson.Default.RunStarted);
            Assert.Equal(RunState.Complete, (await scene.Ended(rebuilt, pruned.Run)).State);
        }

        // Nor does it go on after a start in sight of the places.
        await old.Kill();
        old.Start();
        await scene.Until(async () => (await StateOf(old)).Later is { Term: 2 }, "the old one answers again");
        Assert.Equal((HttpStatusCode.Conflict, Superseded), await Pause(old, web));
        Assert.Equal(before, await Effects(old));
        foreach (var run in waiting) Assert.Equal("Queued 0", await old.Ask<string>(StateOfRun(run)));
        Assert.Empty(target.All);
        Assert.Equal((HttpStatusCode.NoContent, ""), await Pause(rebuilt, web));
        foreach (var (name, host) in new[] { ("web", web), ("data", data) })
            (await scene.Restic(name, host)).Succeed("check", "--no-lock", "--read-data");
    }

    async Task AddReplica(OldControlPlane scene, FencedHost host)
    {
        var copy = await scene.AddFolder("copy", host.Host);
        using var http = scene.Old.Http();
        using var added = await http.PostAsJsonAsync($"repositories/{host.Repository}/replicas",
            new AddReplicaRequest(host.Repository, copy.Id), WireJson.Default.AddReplicaRequest, _ct);
        Assert.True(added.IsSuccessStatusCode, await added.Content.ReadAsStringAsync(_ct));
        await scene.Until(() => scene.Old.Ask<bool>($"select exists (select from run where kind = 'Replicate' and state = 'Complete')"),
            "the replica is filled");
    }

    /// <summary>Somebody who looks at the pages of the old one, before it is one.</summary>
    async Task<HttpClient> SignIn(NodeProcess node)
    {
        using (var api = node.Api()) await api.CreateUser(new CreateUserRequest("anna", "one-time-password"), _ct);
        var page = new HttpClient { BaseAddress = node.Console };
        page.DefaultRequestHeaders.Add("X-BackupDr", "1");
        using var entered = await page.PostAsJsonAsync("api/v1/session", new SignInRequest("anna", "one-time-password"),
            WireJson.Default.SignInRequest, _ct);
        Assert.True(entered.IsSuccessStatusCode, await entered.Content.ReadAsStringAsync(_ct));
        using var chosen = await page.PostAsJsonAsync("api/v1/me/password", new ChangePasswordRequest("one-time-password", Password),
            WireJson.Default.ChangePasswordRequest, _ct);
        Assert.True(chosen.IsSuccessStatusCode, await chosen.Content.ReadAsStringAsync(_ct));
        return page;
    }

    /// <summary>Asks the old one for everything that removes or replicates while it is cut off for longer than the places' word counts:
    /// what removes waits although its host is there, and says for what; the rest waits for its host.</summary>
    async Task<IReadOnlyList<RunId>> Ask(OldControlPlane scene, FencedHost away, FencedHost there)
    {
        var old = scene.Old;
        // No look that had begun before the cut is under way any more.
        await scene.Until(() => old.Ask<bool>("select term_confirmed_at < clock() - interval '12 seconds' from control_plane"),
            "the old one gets no word from the places");
        await old.Pass(TimeSpan.FromMinutes(3));
        using var http = old.Http();
        using var api = old.Api();
        var prune = (await http.Post($"repositories/{there.Repository}/prune", WireJson.Default.RunStarted)).Run;
        var replicate = (await http.Post($"repositories/{away.Repository}/replicate",
            new ReplicateRepositoryRequest(away.Repository), WireJson.Default.ReplicateRepositoryRequest, WireJson.Default.RunStarted)).Run;
        var forget = (await http.Post($"repositories/{away.Repository}/prune", WireJson.Default.RunStarted)).Run;
        // Retention makes these, where points are old; of this one only the kind matters here.
        await old.Do($"update run set kind = 'Forget', title = 'Forget' where id = '{forget.Value}'");
        await scene.Until(async () => (await api.Run(prune, _ct)).WaitsFor?.Contains("no later control plane has begun",
            StringComparison.Ordinal) == true, "the prune says that it waits for the word of the places");
        return [prune, forget, replicate];
    }

    /// <summary>What the old one did and holds: leases, firings, policies.</summary>
    static Task<string> Effects(NodeProcess node) => node.Ask<string>("""
        select concat_ws(' ', (select count(*) from run_event where code = 'run.leased'), (select count(*) from firing),
            (select count(*) from run), (select count(*) from execution_event),
            (select md5(string_agg(p::text, '' order by id)) from policy p))
        """);

    /// <summary>An execution in earnest that waits for longer than the old one is cut off, and then changes something.</summary>
    static async Task<ExecutionId> StartRunbook(NodeProcess node, PostSink target)
    {
        using var http = node.Http();
        var runbook = await http.Post("runbooks", new CreateRunbookRequest
        {
            Name = "take over",
            Spec = new RunbookSpec
            {
                RehearseEvery = TimeSpan.Zero,
                Steps =
                [
                    new StepSpec { Name = "settle", Kind = StepKind.Wait, For = TimeSpan.FromMinutes(20), Timeout = TimeSpan.FromHours(1) },
                    new StepSpec { Name = "switch", Kind = StepKind.Http, Needs = ["settle"], Timeout = TimeSpan.FromMinutes(1),
                        Http = new HttpSpec { Method = "POST", Url = target.Url, Body = "switch" } },
                ],
            },
        }, WireJson.Default.CreateRunbookRequest, WireJson.Default.Runbook);
        return (await http.Post($"runbooks/{runbook.Id}/executions", new StartExecutionRequest(
            Mode: ExecutionMode.Disaster, Why: "to see"), WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted)).Id;
    }

    static string StateOfRun(RunId run) => $"select state || ' ' || lease_epoch from run where id = '{run.Value}'";

    async Task<(HttpStatusCode Status, string Code)> Pause(NodeProcess node, FencedHost host)
    {
        using var http = node.Http();
        using var answer = await http.PostAsJsonAsync($"policies/{host.Policy.Id}/pause", new PausePolicyRequest(host.Policy.Id, "to see"),
            WireJson.Default.PausePolicyRequest, _ct);
        return (answer.StatusCode, await CodeOf(answer));
    }

    async Task<string> CodeOf(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync(_ct);
        if (text.Length == 0) return "";
        using var problem = JsonDocument.Parse(text);
        return problem.RootElement.TryGetProperty("code", out var code) ? code.GetString()! : text;
    }

    async Task ShowThatItSaysWhy(NodeProcess old, HttpClient page, FencedHost host, RunId waiting, ExecutionId execution)
    {
        using var http = old.Http();
        Assert.Equal((HttpStatusCode.Conflict, Superseded), await Pause(old, host));
        (HttpMethod Verb, string Path)[] changes = [(HttpMethod.Post, $"policies/{host.Policy.Id}/run"),
            (HttpMethod.Delete, $"policies/{host.Policy.Id}"), (HttpMethod.Post, $"repositories/{host.Repository}/prune"),
            (HttpMethod.Post, $"repositories/{host.Repository}/check"), (HttpMethod.Post, $"runs/{waiting}/cancel"),
            (HttpMethod.Post, $"items/{Assert.Single(host.Policy.Items).Id}/retire"), (HttpMethod.Post, $"hosts/{host.Host}/retire"),
            (HttpMethod.Post, "control-plane/export"), (HttpMethod.Post, $"executions/{execution}/actions")];
        foreach (var (verb, path) in changes)
        {
            using var request = new HttpRequestMessage(verb, path);
            if (path.StartsWith("executions/", StringComparison.Ordinal)) request.Content = JsonContent.Create(
                new ActOnExecutionRequest(Action: ExecutionAction.Stop), WireJson.Default.ActOnExecutionRequest);
            using var answer = await http.SendAsync(request, _ct);
            Assert.Equal((path, HttpStatusCode.Conflict, Superseded), (path, answer.StatusCode, await CodeOf(answer)));
        }
        foreach (var path in (string[])["", "policies", "jobs", "storage"])
        {
            var text = await page.GetStringAsync(path, _ct);
            Assert.Contains("id=\"superseded\"", text, StringComparison.Ordinal);
            Assert.Contains("This control plane is of term 1, and term 2 of this installation has begun", text, StringComparison.Ordinal);
        }
        var alerts = await http.GetFromJsonAsync("alerts", WireJson.Default.IReadOnlyListAlert, _ct);
        Assert.Single(alerts!, alert => alert.Kind == AlertKind.Superseded);
        Assert.Equal(1, await old.Ask<long>("select count(*) from audit where action = 'control_plane.superseded'"));
    }

    async Task<ControlPlaneState> StateOf(NodeProcess node)
    {
        using var http = node.Http();
        return (await http.GetFromJsonAsync("control-plane", WireJson.Default.ControlPlaneState, _ct))!;
    }
}
