using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Web.Policies;

namespace BackupDr.Web.Tests;

public sealed class PolicyDraftTests
{
    static readonly HostId Host = HostId.New(TimeProvider.System);

    static PolicyDraft Draft() => PolicyDraft.Of(new PolicySpec());

    [Fact]
    public void An_untouched_form_is_a_policy_with_every_default()
        => Assert.Equal(JsonSerializer.Serialize(new PolicySpec(), WireJson.Default.PolicySpec),
            JsonSerializer.Serialize(Draft().Spec(), WireJson.Default.PolicySpec));   // lists are equal by what is in them

    [Fact]
    public void A_folder_is_added_once_and_can_be_taken_out_again()
    {
        var draft = Draft();

        foreach (var press in new[] { "add:/srv/data", "add:/srv/data", "add:/etc", "remove:/etc" })
        {
            draft.Action = press; draft.Apply();
        }

        Assert.Equal(["/srv/data"], draft.Paths);
    }

    [Fact]
    public void A_written_path_counts_also_when_only_save_is_pressed()
    {
        var draft = Draft();
        (draft.Id, draft.Host, draft.Typed, draft.Action) = (PolicyId.New(TimeProvider.System).ToString(), Host.ToString(),
            @" /srv/odd\name ", "save");

        draft.Apply();
        var request = draft.Request();

        Assert.Equal(FilePath.FromText(@"/srv/odd\name"), Assert.Single(request.Items[0].Source.Files!.Paths));
    }

    [Fact]
    public void Names_that_are_no_text_survive_the_form()
    {
        var path = new FilePath([(byte)'/', 0xff, (byte)'\n', (byte)'\\']);
        var draft = Draft();
        (draft.Id, draft.Host, draft.Action) = (PolicyId.New(TimeProvider.System).ToString(), Host.ToString(), "add:" + path);

        draft.Apply();

        Assert.Equal(path, Assert.Single(draft.Request().Items[0].Source.Files!.Paths));
    }

    [Theory]
    [InlineData("rpo")]
    [InlineData("floor")]
    [InlineData("proofDays")]
    public void A_number_that_is_none_names_its_field(string field)
    {
        var draft = Draft();
        if (field == "rpo") draft.Rpo = "soon";
        if (field == "floor") draft.Floor = "-3";
        if (field == "proofDays") draft.ProofDays = "";

        Assert.Equal(field, Assert.Throws<BadInputException>(draft.Spec).Field);
    }

    [Fact]
    public void Without_a_folder_the_form_asks_for_one()
    {
        var draft = Draft();
        draft.Host = Host.ToString();
        draft.Apply();

        Assert.Equal("paths", Assert.Throws<BadInputException>(draft.Request).Field);
    }

    [Fact]
    public void Another_host_begins_at_its_root_without_the_folders_of_the_first()
    {
        var draft = Draft();
        (draft.Browse, draft.Paths, draft.Action) = ("/srv", ["/srv/data"], "host");

        draft.Apply();

        Assert.Equal("/", draft.Browse);
        Assert.Empty(draft.Paths!);
    }
}
