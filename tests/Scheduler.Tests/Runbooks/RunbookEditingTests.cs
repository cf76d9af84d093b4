using System.Net.Http.Json;
using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Documents;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Runbooks as people write them: drafts, faults at their lines, and what others changed meanwhile.</summary>
public sealed partial class RunbookEditingTests(SchedulerDatabases databases)
{
    const string Shop = """
        apiVersion: backupdr/v1
        kind: Runbook
        name: shop
        spec:
          steps:
            - name: app
              kind: ServiceStart
              timeout: 2m
              service: { host: web-1, unit: shop.service }
            - name: look
              kind: HealthWait
              needs: [app]
              timeout: 5m
              health: { tcp: "db.example.org:5432" }

        """;

    [GeneratedRegex("\"<[^<>]+>\"")]
    private static partial Regex Blank();

    [Theory]
    [InlineData("timeout: 2m", "timeout: 2m\n      retries: 99", "9:", "steps.app.retries: It is 99.")]
    [InlineData("needs: [app]", "needs: [up]", "12:", "steps.look.needs: There is no step 'up'.")]
    [InlineData("db.example.org:5432", "nowhere", "14:", "steps.look.health.tcp: 'nowhere' is no address and port.")]
    [InlineData("timeout: 5m", "timeout: soon", "13:", "which is no length of time")]
    [InlineData("db.example.org:5432", "<address of the database>", "14:", "still to be filled in: address of the database")]
    public async Task What_is_wrong_is_told_where_it_stands(string right, string wrong, string place, string problem)
    {
        await using var books = await Books.Start(databases);
        var text = Shop.Replace(right, wrong, StringComparison.Ordinal);

        var check = await books.Get<CheckRunbook>().Handle(TestNode.Admin, new CheckRunbookRequest(text), Books.NoStop);
        var refused = await Assert.ThrowsAsync<BadInputException>(() => books.Get<ApplyRunbooks>().Handle(TestNode.Admin,
            new ApplyRunbooksRequest { Files = [new DocumentFile("shop.yaml", text)] }, Books.NoStop));

        var fault = Assert.Single(check.Faults);
        Assert.StartsWith(place, $"{fault.Line}:", StringComparison.Ordinal);
        Assert.Contains(problem, fault.Problem, StringComparison.Ordinal);
        Assert.Contains($"shop.yaml:{place}", refused.Message, StringComparison.Ordinal);
        Assert.Contains(problem, refused.Message, StringComparison.Ordinal);
        Assert.Equal(problem.Contains("filled in", StringComparison.Ordinal), fault.IsBlank);
    }

    [Fact]
    public async Task What_is_no_runbook_is_told_without_a_picture()
    {
        await using var books = await Books.Start(databases);
        Task<RunbookCheck> Check(string text) => books.Get<CheckRunbook>().Handle(TestNode.Admin, new CheckRunbookRequest(text),
            Books.NoStop);

        Assert.Equal((1, null), (Assert.Single((await Check(" ")).Faults).Line, (await Check("")).Document));
        Assert.Contains("'kind' is 'Policy'", Assert.Single((await Check(Shop.Replace("kind: Runbook", "kind: Policy",
            StringComparison.Ordinal))).Faults).Problem, StringComparison.Ordinal);
        Assert.Contains("second document", Assert.Single((await Check($"{Shop}---\n{Shop.Replace("shop\n", "other\n",
            StringComparison.Ordinal)}")).Faults).Problem, StringComparison.Ordinal);
        Assert.Empty((await Check(Shop)).Faults);

        // The same over the API.
        var answer = await books.Node.AdminClient().PostAsJsonAsync("/api/v1/runbooks/check", new CheckRunbookRequest(Shop),
            WireJson.Default.CheckRunbookRequest);
        Assert.Equal("shop", (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunbookCheck))!.Document!.Name);
    }

    [Fact]
    public async Task A_draft_of_an_item_can_be_saved_once_its_blanks_are_filled_in()
    {
        await using var fleet = await Fleet.Start(databases);
        await using var books = await Books.Start(databases, shared: fleet.Node);
        await fleet.ProtectReady(await fleet.AddHost(), "/srv/data");
        var item = await fleet.OnlyItem();
        var told = await books.Node.AdminClient().GetFromJsonAsync($"/api/v1/runbooks/draft?item={item.Id}", WireJson.Default.RunbookYaml);
        Assert.Equal("/srv/data", told!.Name);

        foreach (var one in new[] { item, item with { Source = new SourceSpec { Kind = SourceKind.PostgreSql } } })
        {
            var draft = one == item ? (await books.Get<DraftRunbook>().Handle(TestNode.Admin, new DraftRunbookRequest(item.Id),
                Books.NoStop)).Yaml : RunbookDraft.Of("orders: \"all\" #1", one with { PolicyName = "a\nb", RestoreEstimate = null });
            var check = await books.Get<CheckRunbook>().Handle(TestNode.Admin, new CheckRunbookRequest(draft), Books.NoStop);
            var filled = await books.Get<CheckRunbook>().Handle(TestNode.Admin, new CheckRunbookRequest(Filled(draft)), Books.NoStop);

            Assert.Equal(["restore", "assert", "service", "health", "dns"], new RunbookGraph(check.Document!.Spec).Groups()
                .Select(group => Assert.Single(group)));
            Assert.All(check.Faults, fault => Assert.True(fault.IsBlank, fault.Problem));
            Assert.Equal(Blank().Count(draft), check.Faults.Count);
            Assert.Empty(filled.Faults);
            Assert.Equal(item.Id, filled.Document!.Spec.Steps[0].Restore!.Item);
        }
    }

    static string Filled(string draft) => Blank().Replace(draft, blank => blank.Value switch
    {
        var said when said.Contains("sha256sum", StringComparison.Ordinal) => new string('a', 64),
        var said when said.Contains("unit of", StringComparison.Ordinal) => "shop.service",
        var said when said.Contains("answers when", StringComparison.Ordinal) => "https://shop.example.org/health",
        var said when said.Contains("zone>", StringComparison.Ordinal) => "example.org",
        var said when said.Contains("people use", StringComparison.Ordinal) => "shop.example.org",
        var said when said.Contains("other site", StringComparison.Ordinal) => "\"192.0.2.20\"",
        _ => "some-name",
    });

    [Fact]
    public async Task Who_saves_what_was_made_from_an_older_version_is_told_what_changed()
    {
        await using var books = await Books.Start(databases);
        var made = await books.Make("shop", Books.Step("app"));
        Task<Runbook> Save(int version, params IReadOnlyList<StepSpec> steps) => books.Get<EditRunbook>().Handle(TestNode.Admin,
            new EditRunbookRequest(made.Id, "shop", made.Spec with { Steps = steps }, version), Books.NoStop);
        await Save(1, Books.Step("app") with { Retries = 3 }, Books.Step("more", "app"));

        var overtaken = await Assert.ThrowsAsync<ConflictException>(() => Save(1, Books.Step("app") with { Retries = 1 }));
        var versions = await books.Get<ListRunbookVersions>().Handle(TestNode.Admin, new ListRunbookVersionsRequest(made.Id), Books.NoStop);

        Assert.Equal("runbook.changed", overtaken.Code);
        Assert.Contains("version 2 is by", overtaken.Message, StringComparison.Ordinal);
        Assert.Contains("steps.app.retries (nothing) → 3", overtaken.Message, StringComparison.Ordinal);
        Assert.Contains("steps.more.kind (nothing) → ServiceStart", overtaken.Message, StringComparison.Ordinal);
        Assert.Contains(versions[0].Changes!, change => change.Member == "steps.app.retries");
        Assert.Null(versions[1].Changes);
        Assert.Equal(3, (await Save(2, Books.Step("app"))).Version);
    }

    [Fact]
    public async Task A_document_leaves_out_what_goes_without_saying_and_its_steps_take_what_they_took()
    {
        await using var books = await Books.Start(databases);
        var applied = await books.Get<ApplyRunbooks>().Handle(TestNode.Admin, new ApplyRunbooksRequest
        {
            Files = [new DocumentFile("shop.yaml", Shop)],
        }, Books.NoStop);
        var id = applied.Runbooks[0].Id;

        var (_, written) = await books.Get<ShowRunbookDocument>().Handle(TestNode.Admin, new ShowRunbookDocumentRequest(id), Books.NoStop);
        var made = await books.Make("one", Books.Step("app"));
        await books.Execute(made.Id, ExecutionMode.Planned);
        await books.Node.PassTime(TimeSpan.FromMinutes(2));
        await books.Carry();
        var times = await books.Get<ListStepTimes>().Handle(TestNode.Admin, new ListStepTimesRequest(made.Id), Books.NoStop);

        Assert.DoesNotContain("retries", written, StringComparison.Ordinal);
        Assert.DoesNotContain("from:", written, StringComparison.Ordinal);
        Assert.Contains("      timeout: 2m\n", written, StringComparison.Ordinal);
        Assert.Equal(DocumentChange.None, (await books.Get<ApplyRunbooks>().Handle(TestNode.Admin, new ApplyRunbooksRequest
        {
            Files = [new DocumentFile("shop.yaml", written)],
        }, Books.NoStop)).Runbooks[0].Change);
        Assert.Equal("app", Assert.Single(times.Steps).Step);
        Assert.Equal(times.Path!.Length, (await books.Node.AdminClient().GetFromJsonAsync($"/api/v1/runbooks/{made.Id}/times",
            WireJson.Default.RunbookTimes))!.Path!.Length);
        Assert.InRange(times.Path!.Length, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(4));
    }
}
