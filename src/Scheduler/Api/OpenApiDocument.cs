using BackupDr.Contracts;
using Microsoft.OpenApi;

namespace BackupDr.Scheduler.Api;

/// <summary>The machine-readable description of /api/v1, at /api/v1/openapi.json.</summary>
static class OpenApiDocument
{
    public static void Add(IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.ShouldInclude = endpoint => endpoint.RelativePath?.StartsWith("api/v1/", StringComparison.Ordinal) == true;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "BackupDr",
                Version = "v1",
                Description = "Sign in with POST /api/v1/session, or send an API key as 'Authorization: Bearer'. Errors are problem "
                    + "details with code and hint.",
            };
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer((schema, context, _) =>
        {
            var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
            if (typeof(ITypedId).IsAssignableFrom(type)) (schema.Type, schema.Description) =
                (JsonSchemaType.String, "An id: a prefix, '_' and 32 hex characters.");
            if (type == typeof(FilePath)) (schema.Type, schema.Description) =
                (JsonSchemaType.String, @"A path; '\' is written '\\', a byte that is no UTF-8 '\xHH'.");
            return Task.CompletedTask;
        });
    });
}
