using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Web.Runbooks;

namespace BackupDr.Web.Tests;

/// <summary>A step that executes another runbook, written into a text from the fields of the editor.</summary>
public sealed class ChildStepTests
{
    static Runbook Book(string name, params StepSpec[] steps) => new()
    {
        Id = RunbookId.New(TimeProvider.System),
        Name = name,
        Version = 1,
        Spec = new RunbookSpec { Steps = steps },
        ChangedAt = DateTimeOffset.UnixEpoch,
        ChangedBy = "ann",
        State = RunbookState.Ready,
    };

    static StepSpec Wait(string name) => new()
    {
        Name = name,
        Kind = StepKind.Wait,
        For = TimeSpan.FromMinutes(1),
        Timeout = TimeSpan.FromMinutes(2),
    };

    static StepSpec Executes(string name) => new()
    {
        Name = "below",
        Kind = StepKind.Runbook,
        Timeout = TimeSpan.FromHours(1),
        Runbook = new ChildRunbookSpec { Name = name },
    };

    static readonly Runbook[] Others =
    [
        Book("Shop: \"databases\"", Wait("a")), Book("portal", Executes("shop")),
        Book("final", Wait("a") with { IsPointOfNoReturn = true }),
        Book("used", Wait("a")), Book("17", Wait("a")),
    ];

    static readonly RunbookDocument Document = new()
    {
        ApiVersion = RunbookDocument.TheVersion,
        Kind = RunbookDocument.TheKind,
        Name = "shop",
        Spec = new RunbookSpec { Steps = [Wait("settle"), Executes("used")] },
    };

    static RunbookForm Form(string child = "Shop: \"databases\"", string name = "db", string after = "settle", string minutes = "90",
        bool isFinal = false) => new() { Child = child, StepName = name, After = after, Minutes = minutes, IsFinal = isFinal };

    const string Step = "- name: db|  kind: Runbook|  needs: [settle]|  timeout: 90m|"
        + "  runbook: { name: \"Shop: \\\"databases\\\"\" }";

    [Theory]
    [InlineData("spec:|  steps:|    - name: settle|      kind: Wait|", 4, 4)]
    [InlineData("spec:|  steps:|  - name: settle|    kind: Wait|  atOnce: 2|", 2, 4)]               // dashes as far as the key
    [InlineData("spec:|  steps: # in order|    - name: settle|# why|      kind: Wait|  # of all|  atOnce: 2", 4, 5)]
    [InlineData("spec:|  steps:|    - name: settle|      title: >|        steps:||        more||...|", 4, 7)]   // a text that says so
    [InlineData("spec:|  atOnce: 2|  steps:|", 4, 3)]                                             // none yet
    public void It_stands_behind_the_others_and_nothing_else_is_changed(string text, int indent, int line)
    {
        var lines = text.Replace('|', '\n').Split('\n').ToList();
        lines.InsertRange(line, Step.Split('|').Select(one => new string(' ', indent) + one));
        var whole = string.Join('\n', lines);
        Assert.Equal(whole.EndsWith('\n') ? whole : whole + "\n", ChildStep.Into(text.Replace('|', '\n'), Document, Form(), Others));
    }

    const string Text = "spec:\n  steps:\n    - name: settle\n";

    [Theory]
    [InlineData("", "db", "settle", "90", ChildStep.Child, "No runbook is chosen.")]
    [InlineData("gone", "db", "settle", "90", ChildStep.Child, "There is no other runbook 'gone'.")]
    [InlineData("portal", "db", "", "90", ChildStep.Child, "in a circle: shop executes portal executes shop.")]
    [InlineData("used", "db", "", "90", ChildStep.Child, "'used' is executed twice")]
    [InlineData("final", "db", "settle", "90", ChildStep.Final, "'final' has a point of no return")]
    [InlineData("17", "Db", "settle", "90", ChildStep.Name, "'Db' is not a name.")]
    [InlineData("17", "settle", "", "90", ChildStep.Name, "There are 2 steps of this name.")]
    [InlineData("17", "db", "before", "90", ChildStep.After, "There is no step 'before'.")]
    [InlineData("17", "db", "settle", "0", ChildStep.Minutes, "'0' is no time.")]
    [InlineData("17", "db", "settle", "10081", ChildStep.Minutes, "'10081' is no time.")]
    [InlineData("17", "db", "settle", null, ChildStep.Minutes, "'' is no time.")]
    public void What_is_wrong_is_told_at_its_field(string child, string name, string after, string? minutes, string field, string told)
    {
        var refused = Assert.Throws<BadInputException>(() => ChildStep.Into(Text, Document, Form(child, name, after, minutes!), Others));
        Assert.Equal(field, refused.Field);
        Assert.Contains(told, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("spec: { steps: [{ name: settle }] }")]
    [InlineData("spec:\n  steps: []\n")]
    public void A_text_that_is_written_otherwise_is_left_to_its_author(string text)
    {
        var refused = Assert.Throws<BadInputException>(() => ChildStep.Into(text, Document, Form(), Others));
        Assert.Contains("{ name: db, kind: Runbook,", refused.Hint, StringComparison.Ordinal);
        Assert.Throws<BadInputException>(() => ChildStep.Into(text, null, Form(), Others));
        Assert.Throws<BadInputException>(() => ChildStep.MustSay(Document, Document, Form(), Others));
    }

    [Theory]
    [InlineData("Shop: \"databases\"", "shop-databases")]
    [InlineData("17", "runbook")]
    public void A_step_without_a_name_gets_one(string child, string name)
        => Assert.Contains($"- name: {name}\n", ChildStep.Into(Text, Document, Form(child, " "), Others), StringComparison.Ordinal);

    [Fact]
    public void Parents_and_those_that_are_executed_already_cannot_be_chosen()
    {
        var (free, barred) = ChildStep.Choices(Document, Others);
        Assert.Equal(["Shop: \"databases\"", "final", "17"], free.Select(one => one.Name));
        Assert.Equal(["portal", "used"], barred.Select(one => one.Name));
        Assert.Equal(Others.Length, ChildStep.Choices(null, Others).Free.Count);
    }
}
