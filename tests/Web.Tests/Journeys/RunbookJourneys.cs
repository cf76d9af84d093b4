using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Runbooks;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests.Journeys;

/// <summary>A node with one item that was proven.</summary>
public sealed class ProvenItem(PostgresServer server) : IAsyncLifetime
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4), LookEvery = TimeSpan.FromMilliseconds(50);

    public ConsoleNode Node { get; private set; } = null!;
    public Item Item { get; private set; } = null!;
    ScriptedAgent _agent = null!;

    public async ValueTask InitializeAsync()
    {
        Node = await ConsoleNode.Start(server);
        _agent = await Node.Host();
        var policy = await Node.Protect(_agent.Host, "/srv/shop", "Shop");
        await Node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        Item = await Node.Get<ShowItem>().Handle(ConsoleNode.System, new ShowItemRequest(policy.Items[0].Id), default);
    }

    /// <summary>Somebody who has to choose a password.</summary>
    public Task<UserCreated> Person(string name, Role role) => Node.Get<CreateUser>().Handle(ConsoleNode.System,
        new CreateUserRequest(name, ConsoleNode.OneTimePassword) { Roles = [new RoleGrant(role.ToString())] }, default);

    public Task<Runbook> Show(RunbookId id) => Node.Get<ShowRunbook>().Handle(ConsoleNode.System, new ShowRunbookRequest(id), default);

    /// <summary>Waits until an execution is as wanted.</summary>
    public async Task<Execution> Until(ExecutionId id, Func<Execution, bool> wanted)
    {
        using var late = new CancellationTokenSource(Patience);
        while (true)
        {
            var state = (await Node.Get<ShowExecution>().Handle(ConsoleNode.System, new ShowExecutionRequest(id), late.Token)).State;
            if (wanted(state)) return state;
            await Task.Delay(LookEvery, late.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _agent.DisposeAsync();
        await Node.DisposeAsync();
    }
}

/// <summary>A runbook from its first draft to the report of its execution, with the script and with the script blocked.</summary>
[Collection(Browser.OneVisitor)]
public sealed partial class RunbookJourneys(ProvenItem site, Browser browser) : IClassFixture<ProvenItem>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_runbook_is_made_from_an_item_edited_rehearsed_executed_paused_approved_aborted_and_reported(bool script)
    {
        var (ann, bob) = (script ? ("ann", "bob") : ("eve", "dan"));
        await site.Person(ann, Role.Admin);
        await site.Person(bob, Role.Approver);
        await using var visit = await browser.Visit(site.Node.Url, script);
        await visit.SignIn(first: true, name: ann);

        var name = script ? "shop" : "store";
        var runbook = await Made(visit, name);
        await Rehearsed(visit, runbook);
        await Edited(visit, runbook, name);
        var execution = await Executed(visit, runbook, name);
        await Paused(visit, execution);
        await Approved(bob, execution);
        await Aborted(visit, execution);
        await Reported(visit, script);
        visit.IsClean();
    }

    [Fact]
    public async Task A_secret_of_steps_is_stored_and_forgotten_and_never_shown()
    {
        const string secret = "c2VjcmV0IG9mIGEga2V5";
        await site.Person("sam", Role.Admin);
        await using var visit = await browser.Visit(site.Node.Url, script: false);
        await visit.SignIn(first: true, name: "sam");
        await visit.Go("/runbooks");
        await visit.Follow("Secrets of steps");
        await visit.Fill("Name", "DNS key");
        await visit.Fill("Secret", secret);
        await visit.Press("Store it");
        await visit.Reads("'DNS key' is no name of a secret.");
        visit.Forgive("/runbooks/secrets");   // the refusal is an error to the browser
        await visit.Fill("Name", "dns-key");
        await visit.Fill("Secret", secret);
        await visit.Press("Store it");
        await visit.Reads("Stored");
        await visit.Shot("runbook-secrets");
        Assert.DoesNotContain(secret, await visit.Page.ContentAsync(), StringComparison.Ordinal);
        await visit.Press("Forget");
        await visit.Press("Forget dns-key");
        await visit.Reads("No secret yet");
        visit.IsClean();
    }

    [Fact]
    public async Task A_late_rehearsal_stands_on_Home_and_in_the_list()
    {
        await site.Person("kim", Role.Admin);
        var late = await site.Node.Get<CreateRunbook>().Handle(ConsoleNode.System, new CreateRunbookRequest
        {
            Name = "archive",
            Spec = new RunbookSpec
            {
                RehearseEvery = TimeSpan.FromDays(7),
                Steps = [new StepSpec { Name = "go", Kind = StepKind.Approval, Timeout = TimeSpan.FromHours(1) }],
            },
        }, default);
        await site.Node.Get<Postgres>().Execute("update runbook_version set at = clock() - interval '9 days' where runbook_id = $1",
            [late.Id], default);
        await using var visit = await browser.Visit(site.Node.Url);
        await visit.SignIn(first: true, name: "kim");
        await visit.Reads("1 runbook was not rehearsed in time: archive");
        await visit.Shot("home-late-rehearsal");
        await visit.Go("/runbooks");
        await visit.Reads("late: every 7 d");
        await visit.Shot("runbooks-late");
        await site.Node.Get<RemoveRunbook>().Handle(ConsoleNode.System, new RemoveRunbookRequest(late.Id), default);
        visit.IsClean();
    }

    [Fact]
    public async Task A_step_that_executes_another_runbook_is_put_into_the_text_by_a_form_of_its_own()
    {
        const string child = "Databases of the shop, with all that hangs on them: orders, customers, stock, invoices and what else";
        await site.Person("max", Role.Admin);
        Task<Runbook> Make(string name, StepSpec step) => site.Node.Get<CreateRunbook>().Handle(ConsoleNode.System,
            new CreateRunbookRequest { Name = name, Spec = new RunbookSpec { Steps = [step] } }, default);
        var go = new StepSpec { Name = "go", Kind = StepKind.Approval, Timeout = TimeSpan.FromHours(1) };
        var below = await Make(child, go);
        var book = await Make("Whole shop", go);
        var above = await Make("Everything", new StepSpec
        {
            Name = "shop",
            Kind = StepKind.Runbook,
            Timeout = TimeSpan.FromHours(1),
            Runbook = new ChildRunbookSpec { Name = book.Name },
        });
        await using var visit = await browser.Visit(site.Node.Url, script: false);
        await visit.SignIn(first: true, name: "max");
        await visit.Go($"/runbooks/{book.Id}/edit");
        await visit.Shot("runbook-child-form");
        await visit.Press("Add the step");
        await visit.Reads("No runbook is chosen.");
        await visit.Shot("runbook-child-refused");
        visit.Forgive("/edit");   // the refusal is an error to the browser
        await visit.Page.GetByText("cannot be chosen").ClickAsync();
        await visit.Reads("They execute each other in a circle: Whole shop executes Everything executes Whole shop.");
        await visit.Page.Locator("#child").SelectOptionAsync(child);
        await visit.Fill("Longest time, in minutes", "60");
        await visit.Shot("runbook-child-chosen");
        await visit.Press("Add the step");
        await visit.Reads("stands behind the others in the text");
        await visit.Shot("runbook-child-added");
        await visit.Press("Save changes");
        await visit.Sees("Versions");
        var step = (await site.Show(book.Id)).Spec.Steps[^1];
        Assert.Equal((StepKind.Runbook, child, "go", TimeSpan.FromHours(1)), (step.Kind, step.Runbook!.Name, step.Needs[0], step.Timeout));
        foreach (var one in (Runbook[])[above, book, below])
            await site.Node.Get<RemoveRunbook>().Handle(ConsoleNode.System, new RemoveRunbookRequest(one.Id), default);
        visit.IsClean();
    }

    static ILocator Text(Visit visit) => visit.Page.Locator("#yaml");

    [GeneratedRegex("^name: .*$", RegexOptions.Multiline)]
    private static partial Regex Name();

    /// <summary>From the item's page: the draft is not saved with its blanks, what was typed is kept, and what is wrong is told at its
    /// line.</summary>
    async Task<RunbookId> Made(Visit visit, string name)
    {
        await visit.Go($"/items/{site.Item.Id}");
        await visit.Follow("Create runbook");
        await visit.Sees("New runbook");
        await visit.Ready();
        await visit.Shot("runbook-draft");
        var draft = await Text(visit).InputValueAsync();
        Assert.Contains($"item: {site.Item.Id}", draft, StringComparison.Ordinal);
        await visit.Press("Save runbook");
        await visit.Reads("It cannot be saved yet");
        Assert.Equal(draft, await Text(visit).InputValueAsync());
        await visit.Reads("This is still to be filled in: unit of the service");

        var steps = $$"""
                - name: go
                  kind: Approval
                  needs: [restored]
                  timeout: 1h
                  approval: { asks: "Is the {{name}} to be served from the other site?" }
                - name: settle
                  kind: Wait
                  needs: [go]
                  for: 1h
                  timeout: 2h
                  inRehearsal: Skip
                - name: after
                  kind: Wait
                  needs: [settle]
                  for: 1s
                  timeout: 1m

            """;
        var typed = draft[..draft.IndexOf("    - name: assert", StringComparison.Ordinal)] + steps;
        typed = Name().Replace(typed, $"name: {name}", 1);
        await Text(visit).FillAsync(typed);
        await visit.Press("Look at it");
        await visit.Reads("There is no step 'restored'.");
        await visit.Page.Locator("#faults a[data-line]").First.ClickAsync();
        await visit.Shot("runbook-fault");
        await Text(visit).FillAsync(typed.Replace("restored]", "restore]", StringComparison.Ordinal));
        await visit.Press("Save runbook");
        await visit.Sees("Versions");
        visit.Forgive("/runbooks/new");   // the refusal is an error to the browser
        await visit.Reads("Needs rehearsal");
        return RunbookId.Parse(visit.Page.Url.Split('/')[^1]);
    }

    /// <summary>The agent's test restore and all; afterwards it is ready, and what was measured is shown.</summary>
    async Task Rehearsed(Visit visit, RunbookId runbook)
    {
        await visit.Follow("Rehearse or fail over");
        await visit.Press("Rehearse");
        await visit.Arrives("**/executions/*");
        var ended = await site.Until(At(visit), state => state.Phase == ExecutionPhase.Ended);
        Assert.Equal(ExecutionOutcome.Succeeded, ended.Outcome);
        await visit.Go($"/runbooks/{runbook}");
        await visit.Sees("How long it takes");
        await visit.Shot("runbook-rehearsed");
        Assert.Equal(RunbookState.Ready, (await site.Show(runbook)).State);
        Assert.True(await visit.Page.Locator(".course-step.decides").CountAsync() > 0);
    }

    /// <summary>Two at once: the second is told what the first changed, keeps the text, and may save again. It needs a rehearsal then.
    /// </summary>
    async Task Edited(Visit visit, RunbookId runbook, string name)
    {
        await visit.Follow("Edit");
        await visit.Sees($"Edit {name}");
        await visit.Ready();
        var now = await site.Show(runbook);
        await site.Node.Get<EditRunbook>().Handle(ConsoleNode.System, new EditRunbookRequest(runbook, name, now.Spec with
        {
            RehearseEvery = TimeSpan.FromDays(7),
        }, now.Version), default);
        var typed = (await Text(visit).InputValueAsync()).Replace("for: 1h", "for: 90m", StringComparison.Ordinal);
        await Text(visit).FillAsync(typed);
        await visit.Press("Save changes");
        await visit.Reads("What you typed was kept.");
        await visit.Reads("rehearseEvery");
        await visit.Shot("runbook-overtaken");
        Assert.Equal(typed, await Text(visit).InputValueAsync());
        await visit.Press("Save changes");
        await visit.Sees("Versions");
        visit.Forgive("/edit");
        await visit.Reads("Needs rehearsal");
        Assert.Equal(3, (await site.Show(runbook)).Version);
    }

    static async Task<ExecutionId> Executed(Visit visit, RunbookId runbook, string name)
    {
        await visit.Go($"/runbooks/{runbook}/start");
        await visit.Page.GetByText("Fail over for real …").ClickAsync();
        await visit.Page.Locator("#mode").SelectOptionAsync("Disaster");
        await visit.Page.Locator("#why").FillAsync("The data centre does not answer.");
        await visit.Page.Locator("#confirm").FillAsync($"FAIL OVER {name}");
        await visit.Shot("runbook-start");
        await visit.Press("Fail over for real");
        await visit.Arrives("**/executions/*");
        await visit.Sees("LIVE: this is production");
        return At(visit);
    }

    /// <summary>Nothing further is begun until somebody lets it go on.</summary>
    async Task Paused(Visit visit, ExecutionId execution)
    {
        await visit.Press("Pause after what is at work");
        await visit.Reads("let it go on");
        var paused = await site.Until(execution, state => state.Steps[0].Phase == StepPhase.Done);
        Assert.Equal((ExecutionPhase.Paused, true), (paused.Phase, paused.IsPauseAsked));
        await visit.Shot("execution-paused");
        await visit.Press("Go on");
        await site.Until(execution, state => state.Steps[1].Phase == StepPhase.Running);
    }

    /// <summary>A second person, always with plain forms.</summary>
    async Task Approved(string bob, ExecutionId execution)
    {
        await using var visit = await browser.Visit(site.Node.Url, script: false);
        await visit.SignIn(first: true, name: bob);
        await visit.Go("/approvals");
        await visit.Sees("Runbooks that ask");
        await visit.Shot("execution-asks");
        await visit.Follow("Answer it");
        await visit.Arrives($"**/executions/{execution}");
        await visit.Go($"/executions/{execution}?view=focus");
        await visit.Reads("to be served from the other site?");
        await visit.Shot("execution-approval");
        await visit.Fill("Note", "The town says so.");
        await visit.Press("Yes, go on");
        await visit.Reads("nothing to do");
        var approved = await site.Until(execution, state => state.Steps[1].Phase == StepPhase.Done);
        Assert.Equal([bob], approved.Steps[1].Approvers);
        visit.IsClean();
    }

    async Task Aborted(Visit visit, ExecutionId execution)
    {
        await visit.Go($"/executions/{execution}");
        await visit.Press("Stop …");
        await visit.Reads("Stop it?");
        await visit.Press("Stop");
        var ended = await site.Until(execution, state => state.Phase == ExecutionPhase.Ended);
        Assert.Equal(ExecutionOutcome.Stopped, ended.Outcome);
        await visit.Go($"/executions/{execution}");
        await visit.Shot("execution-stopped");
    }

    /// <summary>What was done, what was not and why, who said yes: on paper too.</summary>
    static async Task Reported(Visit visit, bool script)
    {
        await visit.Follow("Report");
        await visit.Sees("Verified here, now");
        foreach (var said in (string[])["What was not done", "Who said yes", "Steps"]) await visit.Sees(said);
        foreach (var step in (string[])["restore", "after"])
            await visit.Page.GetByRole(AriaRole.Cell, new PageGetByRoleOptions { Name = step, Exact = true }).First.WaitForAsync();
        await visit.Reads("The data centre does not answer.");
        await visit.Shot("execution-report");
        if (!script) return;
        await visit.Page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });
        Assert.False(await visit.Page.Locator(".menu").IsVisibleAsync());
        await visit.Shot("execution-report-paper");
        Assert.True((await visit.Page.PdfAsync()).Length > 10_000);
    }

    static ExecutionId At(Visit visit) => ExecutionId.Parse(visit.Page.Url.Split('/')[^1].Split('?')[0]);
}
