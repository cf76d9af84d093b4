using System.Net;
using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Documents;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Runbooks, their versions and their documents.</summary>
public sealed class RunbookTests(SchedulerDatabases databases)
{
    static EditRunbookRequest Edit(Runbook runbook, params IReadOnlyList<StepSpec> steps)
        => new(runbook.Id, runbook.Name, runbook.Spec with { Steps = steps }, runbook.Version);

    [Fact]
    public async Task Every_change_is_a_version_that_needs_a_rehearsal()
    {
        await using var books = await Books.Start(databases);
        var made = await books.Make("shop", Books.Step("app"));
        Assert.Equal((1, RunbookState.NeedsRehearsal), (made.Version, made.State));
        await books.Execute(made.Id, ExecutionMode.Rehearsal);
        await books.Carry();
        var ready = await books.Show(made.Id);
        Assert.Equal((RunbookState.Ready, ExecutionOutcome.Succeeded), (ready.State, ready.LastRehearsal?.Outcome));

        var same = await books.Get<EditRunbook>().Handle(TestNode.Admin, Edit(made, Books.Step("app")), Books.NoStop);
        var changed = await books.Get<EditRunbook>().Handle(TestNode.Admin, Edit(made, Books.Step("app"), Books.Step("web", "app")),
            Books.NoStop);
        var late = await Assert.ThrowsAsync<ConflictException>(() => books.Get<EditRunbook>().Handle(TestNode.Admin,
            Edit(made, Books.Step("other")), Books.NoStop));

        Assert.Equal((1, RunbookState.Ready), (same.Version, same.State));
        Assert.Equal((2, RunbookState.NeedsRehearsal), (changed.Version, changed.State));
        Assert.Equal("runbook.changed", late.Code);
        var versions = await books.Get<ListRunbookVersions>().Handle(TestNode.Admin, new ListRunbookVersionsRequest(made.Id), Books.NoStop);
        Assert.Equal([2, 1], versions.Select(version => version.Version));
        Assert.NotEqual(versions[0].Hash, versions[1].Hash);
    }

    [Fact]
    public async Task What_was_never_rehearsed_is_executed_with_a_warning()
    {
        await using var books = await Books.Start(databases);
        var made = await books.Make("shop", Books.Step("app"));

        var begun = await books.Get<StartExecution>().Handle(TestNode.Admin, new StartExecutionRequest(made.Id, ExecutionMode.Disaster,
            "The site burns."), Books.NoStop);

        Assert.Equal("It was never rehearsed.", begun.Warning);
        Assert.Equal("The site burns.", (await books.Show(begun.Id)).Summary.Why);
    }

    [Fact]
    public async Task What_stands_in_the_way_is_told()
    {
        await using var books = await Books.Start(databases);

        var made = await books.Make("shop", Books.Step("app") with { Title = "unreachable" });

        Assert.Equal((RunbookState.Problem, "It does not answer."), (made.State, Assert.Single(made.Problems).Problem));
    }

    [Fact]
    public async Task What_this_version_cannot_carry_out_is_refused()
    {
        await using var books = await Books.Start(databases);

        var missing = Assert.Single(new StepExecutors([]).Missing(new RunbookSpec { Steps = [Books.Step("app")] }));
        var circle = await Assert.ThrowsAsync<BadInputException>(() => books.Make("shop", Books.Step("a", "b"), Books.Step("b", "a")));
        var unknown = await Assert.ThrowsAsync<BadInputException>(() => books.Make("shop", Books.Step("a") with { Title = "${b.host}" },
            Books.Step("b")));

        Assert.Equal(("steps.app.kind", "This version cannot carry out ServiceStart.", "It can: Wait, Approval."),
            (missing.Place, missing.Problem, missing.Advice));
        Assert.Contains("in a circle", circle.Message, StringComparison.Ordinal);
        Assert.Contains("does not come before it", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_document_comes_back_as_it_was_applied()
    {
        await using var books = await Books.Start(databases);
        const string yaml = """
            apiVersion: backupdr/v1
            kind: Runbook
            name: shop
            spec:
              from: eu-west
              to: eu-north
              targets: { rto: 45m, rpo: 5m }
              steps:
                - { name: app, kind: ServiceStart, timeout: 2m, retries: 2, service: { host: web-1, unit: shop.service } }
                - { name: go, kind: Approval, needs: [app], timeout: 1h, approval: { asks: "Switch?", of: 2 } }
            """;
        Task<RunbooksApplied> Apply(string text, bool dry = false) => books.Get<ApplyRunbooks>().Handle(TestNode.Admin,
            new ApplyRunbooksRequest { Files = [new DocumentFile("shop.yaml", text)], DryRun = dry }, Books.NoStop);

        Assert.Equal(DocumentChange.Create, Assert.Single((await Apply(yaml, dry: true)).Runbooks).Change);
        Assert.Empty(await books.Get<ListRunbooks>().Handle(TestNode.Admin, new ListRunbooksRequest(), Books.NoStop));
        var made = Assert.Single((await Apply(yaml)).Runbooks);
        var written = await books.Get<ShowRunbookDocument>().Handle(TestNode.Admin, new ShowRunbookDocumentRequest(made.Id), Books.NoStop);
        Assert.Equal(DocumentChange.None, Assert.Single((await Apply(written.Yaml)).Runbooks).Change);
        var changed = Assert.Single((await Apply(yaml.Replace("retries: 2", "retries: 3", StringComparison.Ordinal))).Runbooks);
        var wrong = await Assert.ThrowsAsync<BadInputException>(() => Apply(yaml.Replace("retries", "retrys", StringComparison.Ordinal)));

        Assert.Equal((DocumentChange.Edit, 2), (changed.Change, changed.Version));
        Assert.StartsWith("shop.yaml:9:", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("Is 'retries' meant?", wrong.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromMinutes(45), (await books.Show(made.Id)).Spec.Targets.Rto);
    }

    [Fact]
    public async Task The_API_makes_changes_and_removes_them()
    {
        await using var books = await Books.Start(databases);
        var http = books.Node.AdminClient();
        var answer = await http.PostAsJsonAsync("/api/v1/runbooks", new CreateRunbookRequest
        {
            Name = "shop",
            Spec = new RunbookSpec { Steps = [Books.Step("wait", kind: StepKind.Wait)] },
        }, WireJson.Default.CreateRunbookRequest);
        var made = (await answer.Content.ReadFromJsonAsync(WireJson.Default.Runbook))!;

        var taken = await (await http.PostAsJsonAsync("/api/v1/runbooks", new CreateRunbookRequest { Name = "Shop", Spec = made.Spec },
            WireJson.Default.CreateRunbookRequest)).Problem();
        var begun = await http.PostAsJsonAsync($"/api/v1/runbooks/{made.Id}/rehearse", new RehearseRunbookRequest(Why: "By hand."),
            WireJson.Default.RehearseRunbookRequest);
        var id = (await begun.Content.ReadFromJsonAsync(WireJson.Default.ExecutionStarted))!.Id;
        var open = await http.GetFromJsonAsync($"/api/v1/executions?runbook={made.Id}&open=true",
            WireJson.Default.IReadOnlyListExecutionSummary);
        var busy = await (await http.DeleteAsync($"/api/v1/runbooks/{made.Id}")).Problem();
        var stopped = await http.PostAsJsonAsync($"/api/v1/executions/{id}/actions", new ActOnExecutionRequest(Action:
            ExecutionAction.Stop), WireJson.Default.ActOnExecutionRequest);
        var removed = await http.DeleteAsync($"/api/v1/runbooks/{made.Id}");

        Assert.Equal(("runbook.name_taken", "runbook.executed"), (taken.Code, busy.Code));
        Assert.Equal(id, Assert.Single(open!).Id);
        Assert.Equal(ExecutionOutcome.Stopped, (await stopped.Content.ReadFromJsonAsync(WireJson.Default.ExecutionView))!.State.Outcome);
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        Assert.Empty((await http.GetFromJsonAsync("/api/v1/runbooks", WireJson.Default.IReadOnlyListRunbook))!);
        Assert.Equal("By hand.", (await http.GetFromJsonAsync($"/api/v1/executions/{id}", WireJson.Default.ExecutionView))!.Summary.Why);
    }

    [Fact]
    public async Task Rehearsals_begin_by_themselves_when_they_are_due()
    {
        await using var books = await Books.Start(databases);
        var made = await books.Make("shop", Books.Step("app"));

        await books.Node.PassTime(TimeSpan.FromDays(29));
        Assert.Equal(0, await books.Get<RehearsalsDue>().Run(Books.NoStop));
        await books.Node.PassTime(TimeSpan.FromDays(1));
        Assert.Equal(1, await books.Get<RehearsalsDue>().Run(Books.NoStop));
        Assert.Equal(0, await books.Get<RehearsalsDue>().Run(Books.NoStop));

        var open = Assert.Single((await books.Show(made.Id)).Open);
        Assert.Equal((ExecutionMode.Rehearsal, "system:schedule"), (open.Mode, open.By));
    }
}
