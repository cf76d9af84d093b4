using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>Whoever removes something looks itself whether a later control plane has begun.</summary>
public sealed class LaterTermsTests : IDisposable
{
    const string Folder = "controlplane/0194/term";

    readonly ScratchFolder _scratch = new();
    readonly RunReporter _reporter = new(TimeProvider.System);

    public void Dispose() => _scratch.Dispose();

    RepositoryPlace Place(string name, params string[] terms)
    {
        foreach (var term in terms)
        {
            Directory.CreateDirectory(_scratch.At($"{name}/{Folder}"));
            File.WriteAllText(_scratch.At($"{name}/{Folder}/{term}"), "sealed");
        }
        return new RepositoryPlace { Location = LocationId.New(TimeProvider.System), Url = _scratch.At(name) };
    }

    Task Look(long term, params RepositoryPlace[] places) => LaterTerms.MustBeNone(new AgentStores(null!),
        new TermPlaces { Term = term, Folder = Folder, Places = places }, _reporter, CancellationToken.None);

    [Fact]
    public async Task Its_own_term_and_earlier_ones_and_other_names_hold_nothing_up()
    {
        await Look(3, Place("one", "000001", "000003"), Place("two", "000002", "note.txt", "-4"));
        Assert.False(_reporter.HasEvents);
    }

    [Fact]
    public async Task A_later_term_in_one_place_of_several_ends_it_and_says_where()
    {
        var refused = await Assert.ThrowsAsync<ConflictException>(() => Look(1, Place("one", "000001"),
            Place("two", "000001", "000002")));

        Assert.Equal(AgentProtocol.Superseded, refused.Code);
        Assert.Equal($"In {_scratch.At("two")} lies term 2 of this installation's control plane, and this run was leased in term 1: "
            + "nothing was removed.", refused.Message);
        Assert.Contains($"{Folder}/000002", refused.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_place_that_shows_nothing_is_told_and_leaves_the_word_to_the_others()
    {
        var none = Place("none") with { Url = "s3:" };   // opens no store at all

        await Look(1, none);
        await Assert.ThrowsAsync<ConflictException>(() => Look(1, none, Place("two", "000002")));

        Assert.True(_reporter.HasEvents);
    }
}
