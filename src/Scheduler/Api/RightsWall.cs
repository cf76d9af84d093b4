using BackupDr.Contracts;
using BackupDr.Scheduler.Access;

namespace BackupDr.Scheduler.Api;

/// <summary>Refuses a call before anything of it is read where the caller does not have the right that the table names; the handler asks
/// again, and for the very thing. Writes down who was refused what.</summary>
public sealed class RightsWall(RequestDelegate next, Refusals refusals)
{
    public async Task Invoke(HttpContext http)
    {
        var endpoint = http.GetEndpoint()?.Metadata.GetMetadata<EndpointHandler>();
        try
        {
            if (endpoint is not null) http.Caller().MustSomewhere(endpoint.Right);
            await next(http);
        }
        catch (DeniedException e)
        {
            await refusals.Note(http.Caller(), endpoint?.Handler.Name ?? http.Request.Path, e.Message, http.RequestAborted);
            throw;
        }
    }
}
